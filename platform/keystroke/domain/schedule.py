"""When a schedule or a poll fires: a cron expression in a time zone, or an interval, within a window.

Clocks that are put forward or back:

- An expression with fixed hours (neither `*` nor `/` in the hour field) fires for each time that its fields name, once. A time
  that does not exist that day fires at the first instant after the gap; one that occurs twice fires the first time.
- Any other expression follows elapsed time: it fires whenever the clock on the wall fits it. What is skipped does not
  fire, what is shown twice fires twice, so that its fires stay as far apart as on other days.
- An interval knows no clocks: its fires are `starts_at` (or 1970-01-01T00:00:00Z) plus multiples of it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from keystroke.clock import from_micros, to_micros
from keystroke.domain.cron import DAY, Cron
from keystroke.domain.wall_clock import Stretch, read_zone, stretches

_SECOND: Final = 1_000_000
#: No calendar is asked about what is later (the year 9000): a pause until somebody ends it stands there.
_LATEST: Final = 221_845_392_000 * _SECOND
#: Nothing is looked for further ahead: leap days on a given weekday come within forty years.
_HORIZON_DAYS: Final = 60 * 366


class Times(Protocol):
    """Instants in order, in microseconds since 1970 UTC."""

    def first(self, after: int, until: int | None) -> int | None:
        """The first one after an instant and not after another."""

    def newest(self, after: int, until: int, most: int) -> tuple[list[int], int]:
        """The newest ones after an instant and up to another, oldest first, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many microseconds, from an anchor on and before it."""

    every: int
    anchor: int

    def first(self, after: int, until: int | None) -> int | None:
        """See `Times`."""
        found = self.anchor + ((after - self.anchor) // self.every + 1) * self.every
        return found if until is None or found <= until else None

    def newest(self, after: int, until: int, most: int) -> tuple[list[int], int]:
        """See `Times`."""
        last = (until - self.anchor) // self.every
        count = max(last - (after - self.anchor) // self.every, 0)
        numbers = range(last - min(most, count) + 1, last + 1)
        return [self.anchor + number * self.every for number in numbers], count


@dataclass(frozen=True, slots=True)
class _Span:
    """Fires within one stretch: wall times of an expression, or the one instant after a gap (`cron` None)."""

    cron: Cron | None
    low: int
    high: int
    offset: int
    count: int

    def at(self, number: int) -> int:
        """The instant of a fire by its number from 0, in seconds."""
        wall = self.low if self.cron is None else self.cron.nth(number, self.low, self.high)
        if wall is None:
            raise AssertionError("a span has as many fires as it says")
        return wall - self.offset


@dataclass(frozen=True, slots=True)
class ZonedCron:
    """A cron expression by the clocks of a time zone."""

    cron: Cron
    zone: ZoneInfo

    def first(self, after: int, until: int | None) -> int | None:
        """See `Times`."""
        for span in self._spans(after, until):
            return span.at(0) * _SECOND
        return None

    def newest(self, after: int, until: int, most: int) -> tuple[list[int], int]:
        """See `Times`."""
        kept: deque[_Span] = deque()
        count = held = 0
        for span in self._spans(after, until):
            kept.append(span)
            count, held = count + span.count, held + span.count
            while kept and held - kept[0].count >= most:
                held -= kept.popleft().count
        fires = [span.at(number) * _SECOND for span in kept for number in _last(span.count, most)]
        return fires[-most:] if most else [], count

    def _spans(self, after: int, until: int | None) -> Iterator[_Span]:
        """What fires after an instant and not after another (microseconds), stretch by stretch."""
        low = after // _SECOND + 1
        day = low // DAY
        horizon = (day + _HORIZON_DAYS) * DAY
        high = horizon if until is None else min(until // _SECOND + 1, horizon)
        while day * DAY < high:
            for each in stretches(self.zone, day):
                yield from self._spans_of(each, max(low, each.start), min(high, each.end))
            # Of a day of UTC clocks show parts of the days beside it, too.
            following = self.cron.day_from(day)
            if following is None:
                return
            day = max(day + 1, following - 1)

    def _spans_of(self, stretch: Stretch, low: int, high: int) -> Iterator[_Span]:
        begin, end = low + stretch.offset, high + stretch.offset
        if begin >= end:
            return
        if self.cron.fixed:
            if low == stretch.start and self._fires_after_gap(stretch):
                yield _Span(None, low, high, 0, 1)
            begin = max(begin, stretch.fresh)
        count = self.cron.count(begin, end)
        if count:
            yield _Span(self.cron, begin, end, stretch.offset, count)

    def _fires_after_gap(self, stretch: Stretch) -> bool:
        """Whether a time was skipped, and nothing else fires at the instant that takes its place."""
        wall = stretch.start + stretch.offset
        return self.cron.first(stretch.left, wall) is not None and self.cron.first(wall, wall + 1) is None


def _last(count: int, most: int) -> range:
    return range(max(count - most, 0), count)


@dataclass(frozen=True, slots=True)
class Fire:
    """A time at which something will fire; `local` is what the clocks of its zone show: `2026-11-24 02:00:00 CET`."""

    at: datetime
    local: str


@dataclass(frozen=True, slots=True)
class Timing:
    """When a source fires. `starts_at` belongs to the window, `ends_at` no longer; both in microseconds, as `jitter` is."""

    times: Times
    zone: ZoneInfo
    starts_at: int | None = None
    ends_at: int | None = None
    jitter: int = 0

    @staticmethod
    def from_options(options: Mapping[str, Any]) -> Timing:
        """The timing of a source's published options; ValueError says what is wrong with them."""
        names = ("cron", "every", "timezone", "starts_at", "ends_at", "jitter")
        return _timing(*(options.get(name) for name in names))

    def next_after(self, instant: datetime) -> datetime | None:
        """The first time strictly after an instant; None: there is none any more."""
        found = self._first(to_micros(instant))
        return None if found is None else from_micros(found)

    def fires(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The first times strictly after an instant and up to another, that one included; at most `limit`."""
        found: list[datetime] = []
        last, end = self._first(to_micros(after)), to_micros(until)
        while last is not None and last <= end and len(found) < limit:
            found.append(from_micros(last))
            last = self._first(last)
        return found

    def newest(self, after: datetime, until: datetime, most: int) -> tuple[list[datetime], int]:
        """The newest times after an instant and up to another, oldest first, and how many there are in all.

        It costs microseconds for each day in between, however many times there are.
        """
        low, high = to_micros(after), to_micros(until)
        low = low if self.starts_at is None else max(low, self.starts_at - 1)
        high = min(high, _LATEST if self.ends_at is None else self.ends_at - 1)
        fires, count = self.times.newest(low, high, most) if low < high else ([], 0)
        return [from_micros(each) for each in fires], count

    def due(self, source_id: str, at: datetime) -> datetime:
        """When a time is due with its jitter, which is the same whoever computes it."""
        if not self.jitter:
            return at
        digest = hashlib.sha256(f"{source_id}/{to_micros(at)}".encode()).digest()
        return at + timedelta(microseconds=self.jitter * int.from_bytes(digest[:6]) >> 48)

    def upcoming(self, after: datetime, count: int) -> list[Fire]:
        """The next times after an instant, as people read them."""
        found: list[Fire] = []
        at = self.next_after(after)
        while at is not None and len(found) < count:
            found.append(Fire(at, self.local_text(at)))
            at = self.next_after(at)
        return found

    def local_text(self, instant: datetime) -> str:
        """What the clocks of its zone show at an instant: `2026-11-24 02:00:00 CET`."""
        return instant.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")

    def _first(self, after: int) -> int | None:
        if self.starts_at is not None:
            after = max(after, self.starts_at - 1)
        if after >= _LATEST:
            return None
        return self.times.first(after, _LATEST if self.ends_at is None else self.ends_at - 1)


@lru_cache(maxsize=16_384)
def _timing(
    cron: str | None,
    every: float | None,
    timezone: str | None,
    starts_at: str | None,
    ends_at: str | None,
    jitter: float | None,
) -> Timing:
    """Made once for equal options: a schedule that fires each second is not read anew each second."""
    zone = read_zone(timezone or "UTC")
    starts, ends = _instant(starts_at), _instant(ends_at)
    timing = Timing(_times(cron, every, zone, starts), zone, starts, ends, round((jitter or 0) * _SECOND))
    if starts is not None and ends is not None and timing.times.first(starts - 1, ends - 1) is None:
        raise ValueError(f"it never fires: no time of it is between {starts_at} and {ends_at}")
    return timing


def _times(cron: str | None, every: float | None, zone: ZoneInfo, starts_at: int | None) -> Times:
    if (cron is None) == (every is None):
        raise ValueError("give either a cron expression or `every`, not both and not neither")
    if cron is not None:
        return ZonedCron(Cron(cron), zone)
    interval = round((every or 0) * _SECOND)
    if interval < _SECOND:
        raise ValueError("an interval is a second or longer")
    return Interval(interval, starts_at or 0)


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    return to_micros(datetime.fromisoformat(text))
