"""Record how far a run says it is."""

from __future__ import annotations

from keystroke.domain.lease import Lease
from keystroke.errors import LeaseLost
from keystroke.store import Database, claims


def record_progress(database: Database, lease: Lease, fraction: float | None, message: str | None) -> None:
    """Replace the run's progress. Raises LeaseLost."""
    with database.statement() as tx:
        if not claims.put_progress(tx, lease.run_id, lease.attempt, fraction, message):
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
