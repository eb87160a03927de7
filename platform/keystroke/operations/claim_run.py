"""Claim the next tick or run: the beginning of an attempt."""

from __future__ import annotations

import time
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain.lease import AnyLease, Claimant, Lease
from keystroke.operations.claiming import claim_next
from keystroke.store import Database

__all__ = ["Claimant", "Lease", "claim_run"]

#: How often a claim looks again at a key whose lock somebody else had, and how long it pauses before (seconds). The lock is
#: held for as long as a commit takes; should it be held longer, whoever looks for missed work comes back to it.
_LOOKS: Final = 40
_PAUSE: Final = 0.003


def claim_run(database: Database, claimant: Claimant) -> AnyLease | None:
    """The best run that the claimant may run, or a tick before any run, now its own; None where nothing waits for it."""
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        with database.transaction() as tx:
            claimed = claim_next(tx, claimant)
            if isinstance(claimed.lease, Lease):
                crash_point("run-claiming")
            elif claimed.lease is not None:
                crash_point("tick-claiming")
        if not claimed.again:
            break
    if isinstance(claimed.lease, Lease):
        crash_point("run-claimed")
    elif claimed.lease is not None:
        crash_point("tick-claimed")
    return claimed.lease
