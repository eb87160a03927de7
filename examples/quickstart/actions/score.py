from keystroke import Backoff, Context, action

from actions._scoring_service import service
from leads import Signup


@action(retries=3, backoff=Backoff(first="200ms", longest="1s"), retry_on=(ConnectionError,))
def score(signup: Signup, ctx: Context) -> int:
    """Rate the lead from 0 to 100. The service refuses the first connection of each run; the retry gets through."""
    print(f"Asking the scoring service about {signup.email}")
    return service.score(signup.email, caller=ctx.run_id)
