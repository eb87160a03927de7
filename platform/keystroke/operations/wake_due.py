"""Wake the runs at rest whose time has come."""

from __future__ import annotations

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import SYSTEM
from keystroke.domain.states import DUE
from keystroke.operations.moving import move_run
from keystroke.store import Database, wakes


def wake_due(database: Database, limit: int = 1000) -> set[tuple[str, str]]:
    """Queue runs at rest that are due, at most `limit`; the (project id, queue) pairs to wake."""
    with database.transaction() as tx:
        moved = [move_run(tx, DUE, run_id, actor=SYSTEM) for run_id in wakes.due_runs(tx, limit)]
        if moved:
            crash_point("run-waking")
    if moved:
        crash_point("run-woken")
    return {(each.project_id, each.queue) for each in moved if each is not None}
