"""What the limit of a key does to a run when it is admitted: `skip` cancels it, `replace` cancels the oldest ones.

`queue` lets it wait, which the claim sees to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keystroke.domain.actor import SYSTEM
from keystroke.domain.keys import RunLimits
from keystroke.domain.states import Reason, Status
from keystroke.operations.canceling import CancelRequested, cancel_within
from keystroke.settings import Settings
from keystroke.store import Tx, admission


@dataclass(frozen=True, slots=True)
class Ticket:
    """A run's claim to a place: its concurrency key, how many go on at once, and what happens beyond that."""

    key: str
    limit: int
    policy: str


def ticket_of(limits: RunLimits) -> Ticket | None:
    """The claim of a run with these limits; None where no concurrency is limited."""
    concurrency, key = limits.concurrency, limits.concurrency_key
    return (
        None
        if concurrency is None or key is None
        else Ticket(key, concurrency["limit"], concurrency["policy"])
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run's status, and the runs that were canceled in its place or itself: tell who has to hear of it."""

    status: Status = Status.QUEUED
    canceled: tuple[CancelRequested, ...] = ()


def reserve(tx: Tx, project_id: str, tickets: Sequence[Ticket]) -> None:
    """Take what admitting these runs needs, in an order in which no two starts wait for each other.

    The lock of an admission is not that of its key: claims and finishes, which hold a run's row, need the latter.
    """
    decided = [ticket for ticket in tickets if ticket.policy != "queue"]
    admission.lock_keys(tx, project_id, (ticket.key for ticket in decided))
    replacing = [ticket.key for ticket in decided if ticket.policy == "replace"]
    admission.hold_active(tx, project_id, replacing)


def admit(tx: Tx, project_id: str, run_id: str, ticket: Ticket, settings: Settings) -> Admitted:
    """Decide on a run that has just been inserted, or put back to the queue with its keys."""
    if ticket.policy == "queue":
        return Admitted()
    others = admission.others(tx, project_id, ticket.key, run_id)
    if ticket.policy == "skip":
        if len(others) < ticket.limit:
            return Admitted()
        skipped = cancel_within(tx, run_id, SYSTEM, Reason.CONCURRENCY_SKIPPED, settings)
        return Admitted(Status.CANCELED, () if skipped is None else (skipped,))
    staying = [other for other, asked in others if not asked]
    replaced = [
        cancel_within(tx, other, SYSTEM, Reason.CONCURRENCY_REPLACED, settings)
        for other in staying[: max(len(staying) + 1 - ticket.limit, 0)]
    ]
    return Admitted(canceled=tuple(each for each in replaced if each is not None))
