"""What follows a failure: a workflow that is started once, when a run has failed for good."""

from typing import Any

from keystroke import action, workflow
from pydantic import BaseModel


class Failed(BaseModel):
    run_id: str
    workflow: str
    error: dict[str, Any]
    input: Any


@action
def call_somebody(text: str) -> str:
    return f"called: {text}"


@workflow("alert", name="Alert")
def alert(failed: Failed) -> str:
    """Tell somebody that a run has failed."""
    return call_somebody(f"{failed.workflow} failed: {failed.error['message']}")


@workflow("risky", name="Risky", on_failure=alert)
def risky() -> None:
    """Fails, and `alert` is started."""
    raise RuntimeError("the pump is dry")
