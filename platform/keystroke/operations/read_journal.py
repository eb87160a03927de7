"""Read what earlier attempts of a run have recorded."""

from __future__ import annotations

from keystroke.domain.lease import Lease
from keystroke.domain.step import Step
from keystroke.store import Database, steps


def read_journal(database: Database, lease: Lease) -> list[Step]:
    """The recorded steps of the lease's run: final ones, those that wait for their next try, and waits that have begun."""
    with database.single_read() as tx:
        return steps.journal_of(tx, lease.run_id)
