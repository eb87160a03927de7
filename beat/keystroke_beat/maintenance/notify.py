"""Tell the outside what needs attention: send what is in the outbox, and look for schedules that do not succeed in time.

Beats that know of no address to tell have none of these rounds (`scheduler.every_round`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from keystroke.errors import DatabaseUnavailable
from keystroke.operations.find_late_schedules import find_late_schedules
from keystroke.operations.send_notifications import record_answer, take_notifications
from keystroke.settings import Settings
from keystroke.store import Database, notifications
from keystroke.telemetry import announce
from keystroke.telemetry.events import ScheduleLate
from keystroke_beat.maintenance.round import Means

_BATCH: Final = 20


class SendNotifications:
    """A receiver that takes its time must not hold up the other rounds: what is due is sent in a thread of its own."""

    every = 1.0

    def __init__(self) -> None:
        """Nothing is being sent yet."""
        self._sender: threading.Thread | None = None

    def run(self, means: Means) -> None:
        """Begin to send, where something is due and nothing is being sent."""
        with means.database.single_read() as tx:
            due = notifications.any_due(tx)
        if not due or (self._sender is not None and self._sender.is_alive()):
            return
        self._sender = threading.Thread(
            target=send_due, args=(means.database, means.settings), name="notifications", daemon=True
        )
        self._sender.start()

    def wait(self, seconds: float) -> None:
        """Wait for what is being sent."""
        if self._sender is not None:
            self._sender.join(seconds)


@dataclass(frozen=True, slots=True)
class FindLateSchedules:
    """Schedules say how soon after their time a run of them is to have succeeded."""

    every: float = 10.0

    def run(self, means: Means) -> None:
        """Write a notification for each that has become late."""
        for slug in find_late_schedules(means.database, means.settings):
            announce(ScheduleLate(trigger=slug))


def send_due(database: Database, settings: Settings) -> None:
    """Send all that are due, some at a time. Without the database it ends: others, or a later round, take up what is left."""
    from keystroke_beat.posting import post_all  # with httpx, which beats that tell nobody need not load

    try:
        while taken := take_notifications(database, _BATCH):
            for leased, answered in zip(taken, post_all(taken, settings), strict=True):
                record_answer(database, leased, answered)
    except DatabaseUnavailable:
        return
