"""Trying again: `retries` for a single step, `max_attempts` for the code of the whole run.

A step that has failed for good stays failed in every attempt, so the two do not multiply.
"""

from keystroke import Backoff, Context, action, workflow

SOON = Backoff(first="200ms", longest="1s")


@action(retries=5, backoff=SOON, retry_on=ConnectionError)
def read_meter() -> int:
    return 42


@workflow("persistent", name="Persistent", max_attempts=3, backoff=SOON)
def persistent(ctx: Context) -> str:
    """The third attempt succeeds; what the first has recorded is not executed again."""
    number = read_meter()
    if ctx.attempt < 3:
        raise ValueError("the display is dark")
    return f"The meter says {number}."
