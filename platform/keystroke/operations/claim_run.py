"""Claim the next run: the beginning of an attempt."""

from __future__ import annotations

from keystroke.crashpoints import crash_point
from keystroke.domain.lease import Claimant, Lease
from keystroke.store import Database, claims

__all__ = ["Claimant", "Lease", "claim_run"]


def claim_run(database: Database, claimant: Claimant) -> Lease | None:
    """The best run that the claimant may run, now its own; None where nothing waits for it."""
    with database.transaction() as tx:
        lease = claims.claim(tx, claimant)
    if lease is not None:
        crash_point("run-claimed")
    return lease
