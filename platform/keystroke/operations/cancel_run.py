"""Cancel a run: at once where it rests, by request where it runs."""

from __future__ import annotations

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor
from keystroke.domain.scope import Scope
from keystroke.domain.states import Reason
from keystroke.errors import RunEnded
from keystroke.operations.canceling import CancelRequested, cancel_within
from keystroke.settings import Settings
from keystroke.store import Database, access, history

__all__ = ["CancelRequested", "cancel_run", "cancel_within"]


def cancel_run(
    database: Database, scope: Scope, run_id: str, actor: Actor, settings: Settings
) -> CancelRequested:
    """Cancel; asking again while a cancel is on its way is harmless. Raises RunNotFound, RunEnded."""
    with database.transaction() as tx:
        history.get_run(scope, tx, run_id)
        access.audit(tx, scope.organization_id, actor, "run.cancel", run_id)
        requested = cancel_within(tx, run_id, actor, Reason.CANCELED_BY_USER, settings)
        run = history.get_run(scope, tx, run_id)
        crash_point("cancel-requesting")
    crash_point("cancel-requested")
    if requested is None:
        raise RunEnded(run_id=run_id, status=run.status)
    return requested
