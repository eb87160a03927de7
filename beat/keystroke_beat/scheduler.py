"""The scheduler inside Celery's beat: rounds of maintenance in place of a schedule file."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from typing import Any, Final

from celery.beat import Scheduler

from keystroke.errors import DatabaseUnavailable
from keystroke.settings import Settings
from keystroke.telemetry.outage import Outage
from keystroke_beat.maintenance.backfills import CarryOutBackfills
from keystroke_beat.maintenance.cancel import CancelChildren
from keystroke_beat.maintenance.notify import FindLateSchedules, SendNotifications
from keystroke_beat.maintenance.polls import StartPolls
from keystroke_beat.maintenance.recover import RecoverDeadWorkers
from keystroke_beat.maintenance.retain import DeleteExpired, DeleteOldEvents, EnsurePartitions
from keystroke_beat.maintenance.round import Means, Round
from keystroke_beat.maintenance.schedules import FireSchedules, PauseFailing, UnparkOverlapping
from keystroke_beat.maintenance.unpark import UnparkForgotten, UnparkRates
from keystroke_beat.maintenance.wake import SweepMissedWakeups, WakeForgotten, WakeSleepers

#: Beat looks at least so often whether it is to end (seconds).
_LONGEST_SLEEP: Final = 0.25


class RoundsScheduler(Scheduler):  # type: ignore[misc]
    """Runs each round when its time has come; without the database it goes on trying, for as long as it takes."""

    def __init__(
        self, *arguments: Any, means: Means, rounds: Sequence[Round] | None = None, **options: Any
    ) -> None:
        """Every round is due at once."""
        self._means = means
        self._rounds = list(rounds if rounds is not None else every_round(means.settings))
        self._due = [(0.0, number) for number in range(len(self._rounds))]
        self._outage = Outage.of_database()
        self.last_success = time.monotonic()
        super().__init__(*arguments, **options)

    def setup_schedule(self) -> None:
        """There is no schedule of Celery's."""

    def tick(self, *_arguments: Any, **_options: Any) -> float:
        """Run the round that is due first; seconds until the next one is."""
        due, number = self._due[0]
        now = time.monotonic()
        if due > now:
            return min(due - now, _LONGEST_SLEEP)
        this = self._rounds[number]
        try:
            this.run(self._means)
        except DatabaseUnavailable as error:
            self._outage.failed(error)
            return _LONGEST_SLEEP
        finally:
            # A round may say only now when it wants to be run again.
            heapq.heapreplace(self._due, (now + this.every, number))
        self._outage.answered()
        self.last_success = time.monotonic()
        return 0.0


def every_round(settings: Settings) -> list[Round]:
    """The rounds of a beat. Each of them asks the database, so that its success says that the database is there."""
    telling: list[Round] = [SendNotifications(), FindLateSchedules()] if settings.notify_url else []
    return [
        FireSchedules(), WakeSleepers(), StartPolls(), UnparkOverlapping(), UnparkRates(),
        SweepMissedWakeups(), UnparkForgotten(), CancelChildren(), WakeForgotten(), CarryOutBackfills(), PauseFailing(),
        RecoverDeadWorkers(), *telling, DeleteExpired(), DeleteOldEvents(), EnsurePartitions(),
    ]  # fmt: skip
