"""Wake runs at rest whose children have ended without telling them.

An end tells whoever waits in its own transaction. This finds what a worker of an earlier version has ended, which knows of no
parents, and which goes on beside newer ones while they are rolled out.
"""

from __future__ import annotations

from keystroke.crashpoints import crash_point
from keystroke.operations.moving import tell_waiter
from keystroke.store import Database, waits


def wake_forgotten(database: Database, limit: int = 1000) -> set[tuple[str, str]]:
    """Tell at most so many ends; the (project id, queue) pairs to wake."""
    with database.read() as tx:
        forgotten = waits.forgotten(tx, limit)
    woken: set[tuple[str, str]] = set()
    for waiting, child in forgotten:
        with database.transaction() as tx:
            woken.update(tell_waiter(tx, waiting, child))
            crash_point("run-waking")
        crash_point("run-woken")
    return woken
