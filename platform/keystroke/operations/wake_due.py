"""Wake the runs at rest whose time has come."""

from __future__ import annotations

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import SYSTEM
from keystroke.domain.states import DUE
from keystroke.operations.moving import move_runs
from keystroke.store import Database, wakes


def wake_due(database: Database, limit: int = 1000) -> set[tuple[str, str]]:
    """Queue runs at rest that are due, at most `limit`; the (project id, queue) pairs to wake."""
    with database.transaction() as tx:
        moved = move_runs(tx, DUE, wakes.due_runs(tx, limit), actor=SYSTEM)
        if moved:
            crash_point("run-waking")
    if moved:
        crash_point("run-woken")
    return {(each.project_id, each.queue) for each in moved}
