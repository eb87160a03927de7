"""Wake what is due: sleepers whose time has come, and queued runs that no message announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from keystroke.operations.find_waiting import find_waiting_queues
from keystroke.operations.wake_due import wake_due
from keystroke.operations.wake_forgotten import wake_forgotten
from keystroke.telemetry import announce
from keystroke.telemetry.events import MissedWakeupsFound
from keystroke_beat.maintenance.round import Means

#: Workers begin with the first of many while the others are still being woken.
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class WakeSleepers:
    """Sleepers become queued within a fraction of a second of their time."""

    every: float = 0.25

    def run(self, means: Means) -> None:
        """Queue all that are due, batch by batch, and wake their queues."""
        while queues := wake_due(means.database, _BATCH):
            means.wakeups.wake_all(queues)


@dataclass(frozen=True, slots=True)
class SweepMissedWakeups:
    """Work that has waited for two seconds was missed: a message was lost, or its publisher died before sending it."""

    every: float = 1.0
    older_than: timedelta = timedelta(seconds=2)

    def run(self, means: Means) -> None:
        """Wake the queues of such work again."""
        queues = find_waiting_queues(means.database, self.older_than)
        if queues:
            announce(MissedWakeupsFound(queues=len(queues)))
        means.wakeups.wake_all(queues)


@dataclass(frozen=True, slots=True)
class WakeForgotten:
    """Who ends a child wakes its parent; a worker of an earlier version, which knows of no parents, does not."""

    every: float = 15.0

    def run(self, means: Means) -> None:
        """Queue the runs whose children have ended, and wake their queues."""
        means.wakeups.wake_all(wake_forgotten(means.database))
