"""The kit's time: it stands still until the test moves it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from keystroke.clock import from_micros, to_micros

#: Microseconds by which something may come late: the database looks at the clock after the run did.
_LATE: Final = 1_000


class VirtualClock:
    """One clock for the database and for the code of runs.

    Every look that a run takes at it is a microsecond later than the one before, so that no two things begin at the same
    time, and what began first is known.
    """

    def __init__(self, start: datetime) -> None:
        """It shows `start`, an aware datetime."""
        self._base = to_micros(start)
        self.looks = 0
        self._lock = threading.Lock()

    def micros(self) -> int:
        """The time in microseconds since 1970, as the database reads it."""
        return self._base + self.looks

    def look(self) -> datetime:
        """The time as runs read it."""
        with self._lock:
            self.looks += 1
            return from_micros(self.micros())

    @property
    def time(self) -> datetime:
        """The time, without a look at it."""
        return from_micros(self.micros())

    def after(self, duration: timedelta) -> VirtualMoment:
        """The moment that the clock shows once so much time has passed."""
        return VirtualMoment(self, duration)

    def pass_by(self, duration: timedelta) -> None:
        """Let so much time pass."""
        with self._lock:
            self._base += duration // timedelta(microseconds=1)

    def move_to(self, micros: int) -> None:
        """Go forward to this time; never back."""
        with self._lock:
            self._base = max(self._base, micros - self.looks)


class VirtualMoment:
    """A moment ahead, `micros` since 1970."""

    def __init__(self, clock: VirtualClock, duration: timedelta) -> None:
        """So much time from now."""
        self._clock = clock
        self._looks = clock.looks
        self.micros = clock.micros() + duration // timedelta(microseconds=1)

    @property
    def reach(self) -> int:
        """Until when something counts as due by then: what a run looks at the clock on the way must not make it late."""
        return self.micros + self._clock.looks - self._looks + _LATE
