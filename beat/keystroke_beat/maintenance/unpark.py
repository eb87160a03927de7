"""Unpark runs that a limit held back: those whose rate allows it by now, and any that were forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.operations.unpark_runs import Place, unpark_forgotten, unpark_rates
from keystroke_beat.maintenance.round import Means


@dataclass(frozen=True, slots=True)
class UnparkRates:
    """Runs begin within a fraction of a second of the time that their rate limit allows."""

    every: float = 0.25

    def run(self, means: Means) -> None:
        """Unpark those whose time has come, and wake their queues."""
        means.wakeups.wake_all(unpark_rates(means.database))


class UnparkForgotten:
    """Whoever frees a place of a limit gives it away; this sees to it that none stays empty all the same."""

    every = 2.0

    def __init__(self) -> None:
        """Begin with the first key."""
        self._after = Place()

    def run(self, means: Means) -> None:
        """Look at the next thousand keys, and wake the queues of those that had room."""
        queues, self._after = unpark_forgotten(means.database, self._after)
        means.wakeups.wake_all(queues)
