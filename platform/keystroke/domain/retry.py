"""When to try again: exponential backoff with full jitter.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from keystroke.domain.durations import Duration, parse_duration


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses between tries: `first`, then `factor` times the one before, never more than `longest`.

    The pause taken is drawn evenly from zero to that bound (full jitter), so that runs which failed together do not
    come back together.
    """

    first: Duration = "1s"
    factor: float = 2.0
    longest: Duration = "5m"

    def __post_init__(self) -> None:
        """Refuse what would make no sense, where it is written."""
        parse_duration(self.first)
        parse_duration(self.longest)
        if not self.factor >= 1:
            raise ValueError(f"factor is {self.factor!r}; it must be 1 or more")

    def bound(self, failures: int) -> timedelta:
        """The longest pause after this many failed tries (1 or more)."""
        longest = parse_duration(self.longest)
        pause = parse_duration(self.first).total_seconds()
        for _ in range(failures - 1):
            pause *= self.factor
            if pause >= longest.total_seconds():
                return longest
        return min(timedelta(seconds=pause), longest)

    def pause(self, failures: int, draw: float) -> timedelta:
        """The pause to take after this many failed tries; `draw` is a random number in [0, 1)."""
        return self.bound(failures) * draw
