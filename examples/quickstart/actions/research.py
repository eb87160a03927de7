import logging

from keystroke import Context, action

from leads import Signup

log = logging.getLogger(__name__)


@action(retries=3, timeout="30s")
def research(signup: Signup, ctx: Context) -> str:
    """Find out who signed up. A real one would ask a language model; this one only pays for it."""
    company = signup.email.partition("@")[2]
    log.info("Looking up %s", company)
    ctx.usage.add("model", "research-mini", quantity=1200, unit="tokens", cost="0.0042")
    return f"{signup.name} works at {company}."
