"""Find queues whose wake-up was missed: a message was lost, or its publisher died before it could send it."""

from __future__ import annotations

from datetime import timedelta

from keystroke.store import Database, wakes


def find_waiting_queues(database: Database, older_than: timedelta) -> set[tuple[str, str]]:
    """(project id, queue) of runs that have been due, and claimed by nobody, for that long."""
    with database.read() as tx:
        return wakes.waiting_queues(tx, older_than // timedelta(microseconds=1))
