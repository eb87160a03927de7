"""Claim the next run: the beginning of an attempt."""

from __future__ import annotations

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import SYSTEM
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.states import CLAIM
from keystroke.store import Database, Tx, claims, runs

__all__ = ["Claimant", "Lease", "claim_run"]


def claim_run(database: Database, claimant: Claimant) -> Lease | None:
    """The best run that the claimant may run, now its own; None where nothing waits for it."""
    with database.transaction() as tx:
        lease = claim_in(tx, claimant)
    if lease is not None:
        crash_point("run-claimed")
    return lease


def claim_in(tx: Tx, claimant: Claimant) -> Lease | None:
    """Claim inside a transaction that has other work to do too."""
    lease = claims.claim(tx, claimant)
    if lease is not None:
        runs.log_transition(
            tx, lease.run_id, CLAIM.name, CLAIM.target, None, lease.attempt, claimant.worker_id, SYSTEM
        )
    return lease
