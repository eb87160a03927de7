"""What the clocks of a time zone show: stretches in which they run evenly, and where they are put forward or back.

Instants are whole seconds since 1970 UTC, wall times whole seconds since 1970 as the clock on the wall shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from keystroke.domain.cron import DAY

_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Stretch:
    """The instants from `start` on and before `end`, in which wall time is instant plus `offset`.

    Before the wall time `fresh` it shows what was shown already, after clocks were put back. `left` is the wall time at which
    clocks were put forward to its start; where they were not it is what they show at its start.
    """

    start: int
    end: int
    offset: int
    fresh: int
    left: int


def read_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise ValueError(f"{name!r} is no IANA time zone: write it like 'Europe/Paris'") from error


@lru_cache(maxsize=16_384)
def stretches(zone: ZoneInfo, day: int) -> tuple[Stretch, ...]:
    """The stretches of a day of UTC (days since 1970), in order."""
    low, high = day * DAY, (day + 1) * DAY
    # Clocks were never put back by more than a day: what was shown before that is of no interest.
    edges = [low - 2 * DAY, *_changes(zone, low - 2 * DAY, high), high]
    shown, found = edges[0] + _offset(zone, edges[0]), []
    for start, end in pairwise(edges):
        offset = _offset(zone, start)
        left, fresh = min(shown, start + offset), max(shown, start + offset)
        shown = max(shown, end + offset)
        if end > low:
            whole = Stretch(start, end, offset, fresh, left)
            found.append(whole if start >= low else Stretch(low, end, offset, fresh, low + offset))
    return tuple(found)


def _changes(zone: ZoneInfo, low: int, high: int) -> Iterator[int]:
    """The instants after `low` and before `high` from which another offset holds.

    Python's zones do not tell them: they are looked for hour by hour, since no zone changes twice within one.
    """
    for hour in range(low, high, _HOUR):
        before, last, first = _offset(zone, hour), hour, hour + _HOUR
        if _offset(zone, first) == before:
            continue
        while first - last > 1:
            middle = (last + first) // 2
            last, first = (middle, first) if _offset(zone, middle) == before else (last, middle)
        if first < high:
            yield first


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else offset.days * DAY + offset.seconds
