"""Take what is due from the outbox, and record how sending it went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from keystroke.domain.notification import Notification, pause_after
from keystroke.store import Database, notifications
from keystroke.store.notifications import Leased
from keystroke.telemetry import announce
from keystroke.telemetry.events import NotificationGivenUp, NotificationNotSent

#: Whoever has taken some is done with them before; then others may try.
LEASE: Final = timedelta(minutes=2)
_GONE: Final = 410
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Answered:
    """How the receiver took one: its HTTP status (None: none came), what went wrong, when it wants the next try."""

    status: int | None
    error: str | None = None
    retry_after: timedelta | None = None


def take_notifications(database: Database, limit: int) -> list[Leased]:
    """Those that are due, the longest first; for the time of the lease they are the caller's alone."""
    with database.transaction() as tx:
        return notifications.lease_due(tx, limit, LEASE // _MICROSECOND)


def record_answer(database: Database, leased: Leased, answered: Answered) -> None:
    """Sent, to be tried again, or given up: after ten tries, or when the receiver says that it is gone (410)."""
    taken = leased.notification
    if answered.error is None:
        with database.transaction() as tx:
            notifications.record_sent(tx, taken, answered.status or 0)
        return
    gone = answered.status == _GONE
    pause = None if gone else pause_after(taken.attempts, answered.retry_after)
    pause_us = None if pause is None else pause // _MICROSECOND
    with database.transaction() as tx:
        own = notifications.record_failure(tx, taken, answered.status, answered.error, pause_us)
    if own:
        _announce(taken, answered.error, given_up=pause is None)


def _announce(taken: Notification, why: str, *, given_up: bool) -> None:
    if given_up:
        announce(NotificationGivenUp(taken.id, taken.kind, taken.attempts, why))
    else:
        announce(NotificationNotSent(taken.id, taken.kind, taken.attempts, why))
