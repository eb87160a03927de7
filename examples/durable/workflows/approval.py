"""Waiting for somebody: a link is sent, and the run goes on with the answer."""

from keystroke import Context, HookTimeout, action, workflow
from pydantic import BaseModel


class Purchase(BaseModel):
    what: str = "a printer"
    euros: int = 400
    patience: str = "3d"


class Decision(BaseModel):
    approved: bool
    note: str = ""


@action
def ask_boss(purchase: Purchase, url: str) -> None:
    """A real one would send a mail: `url` shows a form, and `url?confirm=1&approved=true` answers with one click."""
    print(f"May we buy {purchase.what} for {purchase.euros} euros?")


@action
def place_order(what: str) -> str:
    return f"{what} is ordered"


@workflow("approval", name="Approval")
def approval(purchase: Purchase, ctx: Context) -> str:
    """Buy something once it is approved."""
    hook = ctx.hook("approval", schema=Decision, timeout=purchase.patience, one_click=True)
    ask_boss(purchase, hook.url)
    try:
        decision = hook.wait()
    except HookTimeout:
        return "nobody has answered"
    return place_order(purchase.what) if decision.approved else f"not approved: {decision.note}"
