"""How work is claimed, inside the transaction of a claim or of a finish: a tick, else the best run whose limits have room.

A claim waits for nobody. What it cannot decide now, because somebody else holds the lock of a key, it passes over and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from keystroke.domain.lease import AnyLease, Claimant, Lease
from keystroke.store import Tx, claims, limits, rates, tick_claims
from keystroke.store.claims import Candidate, Found, Passed
from keystroke.store.limits import CONCURRENCY
from keystroke.store.rates import Pace

#: So many candidates are decided on in one transaction; each that has no room is parked with all others of its key.
_MOST: Final = 25


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim found. `again`: it passed over somebody who may be claimed in a moment, so look again."""

    lease: AnyLease | None
    again: bool = False


def claim_next(tx: Tx, claimant: Claimant) -> Claimed:
    """Claim the tick that is due for longest, else the best run that the claimant may run and that its limits allow."""
    passed, again = Passed(), False
    for _ in range(_MOST):
        found = claims.look(tx, claimant, passed)
        if found is Found.TICK:
            tick = tick_claims.take(tx, claimant)
            if tick is not None:
                more = tick_claims.waits(tx, claimant) or claims.waits(tx, claimant, passed)
                return _claimed(replace(tick, more=more), again)
            # Somebody else is about to take it: from here on for runs alone.
            claimant = replace(claimant, polls=())
            continue
        if not isinstance(found, Candidate):
            return _claimed(None, again=True) if found is Found.CROWD else _claimed(found, again)
        decided = _decide(tx, claimant, found, passed)
        if isinstance(decided, Lease):
            return _claimed(decided, again)
        passed, soon = decided
        again = again or soon
    return Claimed(None, again=True)


def _claimed(lease: AnyLease | None, again: bool) -> Claimed:
    """With a lease, the others that may be claimed in a moment are for somebody else to look at."""
    if lease is None:
        return Claimed(None, again)
    return Claimed(replace(lease, more=lease.more or again))


def _decide(tx: Tx, claimant: Claimant, candidate: Candidate, passed: Passed) -> Lease | tuple[Passed, bool]:
    """The lease, or what to pass over from now on, and whether to look again soon."""
    key, pace = candidate.concurrency_key, candidate.pace
    if key is not None and not limits.try_lock(tx, claimant.project_id, CONCURRENCY + key):
        return passed.beside(key=key), True
    if pace is not None and not limits.try_lock(tx, claimant.project_id, pace.name):
        return passed.beside(rate=pace.key), True
    if pace is not None and not rates.may_begin(tx, pace):
        return _park_until_allowed(tx, candidate, pace, passed), False
    lease = claims.take(tx, claimant, candidate, passed)
    if lease is not None:
        if pace is not None:
            rates.begin(tx, pace)
        return lease
    if key is not None:
        limits.park(tx, claimant.project_id, key)
        # Where the limit has been raised since, one that was parked before may still have room.
        return passed.beside(key=key), limits.unpark(tx, claimant.project_id, key) is not None
    return passed, True


def _park_until_allowed(tx: Tx, candidate: Candidate, pace: Pace, passed: Passed) -> Passed:
    """The candidate leaves its place in the line of its concurrency key to somebody whom this rate does not stop."""
    rates.park(tx, pace, candidate.run_id)
    if candidate.concurrency_key is not None:
        limits.unpark(tx, pace.project_id, candidate.concurrency_key, unless_rate=pace.key)
    return passed.beside(rate=pace.key)
