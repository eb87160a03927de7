"""Wake the sleepers whose time has come."""

from __future__ import annotations

from keystroke.domain.actor import SYSTEM
from keystroke.domain.states import DUE
from keystroke.store import Database, runs, wakes


def wake_due(database: Database, limit: int = 1000) -> set[tuple[str, str]]:
    """Queue sleeping runs that are due, at most `limit`; the (project id, queue) pairs to wake."""
    with database.transaction() as tx:
        moved = [runs.move(tx, DUE, run_id, actor=SYSTEM) for run_id in wakes.due_sleepers(tx, limit)]
    return {(each.project_id, each.queue) for each in moved if each is not None}
