"""The kit's time: it stands still until the test moves it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from keystroke.clock import from_micros, to_micros


class VirtualClock:
    """One clock for the database and for the code of runs.

    Every look that a run takes at it is a microsecond later than the one before, so that no two things begin at the same
    time, and what began first is known.
    """

    def __init__(self, start: datetime) -> None:
        """It shows `start`, an aware datetime."""
        self._base = to_micros(start)
        self._looks = 0
        self._lock = threading.Lock()

    def micros(self) -> int:
        """The time in microseconds since 1970, as the database reads it."""
        return self._base + self._looks

    def look(self) -> datetime:
        """The time as runs read it."""
        with self._lock:
            self._looks += 1
            return from_micros(self.micros())

    @property
    def time(self) -> datetime:
        """The time, without a look at it."""
        return from_micros(self.micros())

    def after(self, duration: timedelta) -> VirtualMoment:
        """The moment that the clock shows once so much time has passed."""
        return VirtualMoment(self, self._base + duration // timedelta(microseconds=1))

    def pass_by(self, duration: timedelta) -> None:
        """Let so much time pass."""
        with self._lock:
            self._base += duration // timedelta(microseconds=1)

    def move_to(self, micros: int) -> None:
        """Go forward to this time; never back."""
        with self._lock:
            self._base = max(self._base, micros - self._looks)


class VirtualMoment:
    """A moment ahead. What happens on the way there takes no time of it, however often it looks at the clock."""

    def __init__(self, clock: VirtualClock, base: int) -> None:
        """Made by `VirtualClock.after`."""
        self._clock = clock
        self._base = base

    @property
    def micros(self) -> int:
        """When that is, by the looks so far."""
        return self._base + self._clock.micros() - self._clock._base
