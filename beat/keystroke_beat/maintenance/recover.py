"""Recover the runs of workers that have died."""

from __future__ import annotations

import time
from collections.abc import Callable

from keystroke.errors import DatabaseUnavailable
from keystroke.operations.recover_runs import recover_dead_workers
from keystroke.telemetry import announce
from keystroke.telemetry.events import RunRecovered
from keystroke_beat.maintenance.round import Means


class RecoverDeadWorkers:
    """Declares nobody dead until it has itself reached the database, without a gap, for as long as a worker may be silent.

    Else an outage of the database, which silences everybody, or a pause of this very process would look like their death.
    """

    every = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is known yet about anybody."""
        self._clock = clock
        self._reached_since: float | None = None
        self._reached_at: float | None = None

    def run(self, means: Means) -> None:
        """Recover, once there is no doubt about one's own view; until then just see that the database answers."""
        if self._was_away(means):
            self._reached_since = None
        try:
            if self._may_judge(means):
                _recover(means)
            else:
                _reach(means)
        except DatabaseUnavailable:
            self._reached_since = None
            raise
        self._reached_at = self._clock()
        if self._reached_since is None:
            self._reached_since = self._reached_at

    def _was_away(self, means: Means) -> bool:
        """Whether the last round was longer ago than a heartbeat may be: this process was stopped, or held up."""
        longest = max(means.settings.heartbeat, 3 * self.every)
        return self._reached_at is not None and self._clock() - self._reached_at > longest

    def _may_judge(self, means: Means) -> bool:
        return (
            self._reached_since is not None
            and self._clock() - self._reached_since >= means.settings.dead_after
        )


def _reach(means: Means) -> None:
    with means.database.read():
        return


def _recover(means: Means) -> None:
    for recovered in recover_dead_workers(means.database, means.settings):
        announce(RunRecovered(run_id=recovered.run_id, status=recovered.status.value))
        means.wakeups.wake_all(recovered.queues)
