"""Fire the schedules whose time has come; look after what their overlap and their failures ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keystroke.box import Box
from keystroke.domain.states import Status
from keystroke.operations.pause_failing import pause_failing
from keystroke.operations.record_schedule_tick import Fired, fire_due_schedules, until_next_schedule
from keystroke.operations.unpark_runs import unpark_overlapping
from keystroke.store.sources import Source
from keystroke.telemetry import announce
from keystroke.telemetry.events import SchedulePaused, ScheduleTimesMissed
from keystroke_beat.maintenance.round import Means

#: Seconds between two looks at most: a schedule may have been published meanwhile.
_LONGEST: Final = 0.25
#: And at least: what is due is being looked after by another beat.
_SHORTEST: Final = 0.02


class FireSchedules:
    """Looks when the next schedule is due, and comes back at that time: so they fire a few milliseconds late."""

    def __init__(self) -> None:
        """Nothing is known yet about the next one."""
        self.every = _LONGEST
        self._box: Box | None = None

    def run(self, means: Means) -> None:
        """Fire all that are due, batch by batch, and wake the queues of their runs."""
        self.every = _LONGEST
        while (until := until_next_schedule(means.database)) is not None and until <= 0:
            fired = fire_due_schedules(means.database, means.settings, self._box_of(means))
            if fired is None:
                break
            _tell(means, fired)
        if until is not None:
            self.every = min(max(until, _SHORTEST), _LONGEST)

    def _box_of(self, means: Means) -> Box | None:
        """What seals the secrets of a payload; without a key nothing that has any is started."""
        keys = means.settings.secret_key
        if self._box is None and keys:
            self._box = Box(keys)
        return self._box


@dataclass(frozen=True, slots=True)
class UnparkOverlapping:
    """A run that waited for the end of the one before it (`queue_one`) begins within a fraction of a second of it."""

    every: float = 0.25

    def run(self, means: Means) -> None:
        """Unpark them, and wake their queues."""
        means.wakeups.wake_all(unpark_overlapping(means.database))


@dataclass(frozen=True, slots=True)
class PauseFailing:
    """Without this a schedule that fires once a day would be paused a day after its last failure."""

    every: float = 5.0

    def run(self, means: Means) -> None:
        """Pause schedules of which too many runs in a row have failed."""
        _tell_paused(pause_failing(means.database, means.settings))


def _tell(means: Means, fired: Fired) -> None:
    for canceled in fired.canceled:
        if canceled.status is Status.RUNNING:
            means.control.cancel(canceled.worker_id, canceled.run_id, canceled.attempt)
    means.wakeups.wake_all(fired.woken)
    _tell_paused(fired.paused)
    for tick in fired.ticks:
        if tick.outcome == "missed":
            announce(ScheduleTimesMissed(trigger=tick.source.slug, missed=tick.missed + 1))


def _tell_paused(paused: Iterable[Source]) -> None:
    for source in paused:
        announce(SchedulePaused(trigger=source.slug, failures=source.manifest.options["pause_after"]))
