"""Cron expressions, as patterns of what a wall clock shows.

croniter reads the expression and finds its days; the times of a day are counted here, because a step of croniter's costs a
tenth of a millisecond, and because clocks that are put forward or back are the business of `wall_clock` alone. Wall times are
whole seconds since 1970 as the clock on the wall shows them, days are whole days since then.

Five fields: minute, hour, day of month, month, day of week. With six the first one is the seconds, as in Quartz, Spring and
cronsim (not the last, as croniter has it by default).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from croniter import croniter

DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_MIDNIGHT: Final = datetime.min.time()
_LONGEST: Final = 250
_NICKNAMES: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_SIZES: Final = (60, 24, 31, 12, 7, 60)
#: A part of a field that is a range, perhaps with a step.
_RANGE: Final = re.compile(r"([a-z0-9]+)-([a-z0-9]+)(?:/[0-9]+)?\Z")
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NUMBERS: Final = {
    name: number
    for names, first in ((_MONTHS, 1), (_WEEKDAYS, 0))
    for number, name in enumerate(names, first)
}
#: Every combination of days, months and weekdays comes again in this many years after this day, or never.
_SOME_DAY: Final = (date(2026, 1, 1) - _EPOCH).days


class Cron:
    """One expression. ValueError says what is wrong with it; one without any day in fifty years is refused, too.

    `fixed` is whether its hours are fixed: neither `*` nor a step (`/`) stands in the hour field.
    """

    def __init__(self, expression: str) -> None:
        """Read the expression; names and nicknames (`MON`, `@daily`) in either case."""
        fields, expanded = _read(expression)
        self.fixed: Final = not set(fields[1]) & set("*/")
        self._days: Final = " ".join(fields[2:5])
        self._minutes, self._hours = _values(expanded, 0), _values(expanded, 1)
        self._seconds = _values(expanded, 5) if len(expanded) > 5 else [0]
        self._in_minute: Final = len(self._seconds)
        self._in_hour: Final = self._in_minute * len(self._minutes)
        self._in_day: Final = self._in_hour * len(self._hours)
        if self.day_from(_SOME_DAY) is None:
            raise ValueError(f"{expression!r} never comes: no day of the calendar fits it")

    def day_from(self, day: int) -> int | None:
        """The first day that fits, from this one on; None: there is none in the next fifty years."""
        return day if self._days == "* * *" else _day_from(self._days, day)

    def count(self, low: int, high: int) -> int:
        """How many of its wall times there are from `low` on and before `high`."""
        total, day = 0, self.day_from(low // DAY)
        while day is not None and day * DAY < high:
            total += self._before(high - day * DAY) - self._before(low - day * DAY)
            day = self.day_from(day + 1)
        return total

    def first(self, low: int, high: int) -> int | None:
        """The first of its wall times from `low` on and before `high`."""
        return self.nth(0, low, high)

    def nth(self, number: int, low: int, high: int) -> int | None:
        """The wall time of that number, counted from 0, of those from `low` on and before `high`."""
        day = self.day_from(low // DAY)
        while day is not None and day * DAY < high:
            skipped = self._before(low - day * DAY)
            if number < self._in_day - skipped:
                found = day * DAY + self._time(skipped + number)
                return found if found < high else None
            number -= self._in_day - skipped
            day = self.day_from(day + 1)
        return None

    def _before(self, time: int) -> int:
        """How many of a day's times come before this one, which is seconds since midnight."""
        if not 0 < time < DAY:
            return 0 if time <= 0 else self._in_day
        hour, minute, second = time // 3600, time // 60 % 60, time % 60
        at = bisect_left(self._hours, hour)
        total = at * self._in_hour
        if at == len(self._hours) or self._hours[at] != hour:
            return total
        at = bisect_left(self._minutes, minute)
        total += at * self._in_minute
        if at == len(self._minutes) or self._minutes[at] != minute:
            return total
        return total + bisect_left(self._seconds, second)

    def _time(self, number: int) -> int:
        """The day's time of that number, in seconds since midnight: the inverse of `_before`."""
        hour, rest = divmod(number, self._in_hour)
        minute, second = divmod(rest, self._in_minute)
        return self._hours[hour] * 3600 + self._minutes[minute] * 60 + self._seconds[second]


def _read(expression: str) -> tuple[list[str], list[list[Any]]]:
    """The fields as written (minute first, seconds last), and what each of them stands for."""
    if not expression.strip() or len(expression) > _LONGEST:
        raise ValueError(f"{expression!r} is no cron expression: write it like '0 2 * * MON-FRI'")
    fields = expression.strip().lower().split()
    if fields[0].startswith("@"):
        if len(fields) > 1 or fields[0] not in _NICKNAMES:
            raise ValueError(f"{expression!r} is none of {', '.join(_NICKNAMES)}")
    elif len(fields) not in (5, 6):
        why = "minute, hour, day of month, month, day of week, with seconds in front of them where wanted"
        raise ValueError(f"{expression!r} has {len(fields)} fields; write five or six: {why}")
    if any(field[0] in "hr" for field in fields):
        raise ValueError(
            f"{expression!r}: H and R (a time that croniter chooses) are not supported; use jitter"
        )
    try:
        read = croniter(" ".join(map(_plain, fields)), 0.0, second_at_beginning=True)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{expression!r} is no cron expression: {error}") from error
    return list(read.expressions), list(read.expanded)


def _plain(field: str) -> str:
    """The field, a range from a value to itself as that value: to croniter `18-18` is every hour, to everybody else it is 18."""
    return ",".join(_of_one_value(part) or part for part in field.split(","))


def _of_one_value(part: str) -> str | None:
    found = _RANGE.match(part)
    if found is None or _number(found[1]) != _number(found[2]):
        return None
    return found[1]


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else _NUMBERS.get(text, text)


def _values(expanded: list[list[Any]], field: int) -> list[int]:
    """The numbers of a field of times, in order."""
    values = expanded[field]
    return list(range(_SIZES[field])) if "*" in values else sorted(set(values))


@lru_cache(maxsize=65_536)
def _day_from(days: str, day: int) -> int | None:
    midnight = datetime.combine(_EPOCH + timedelta(days=day), _MIDNIGHT)
    try:
        found: datetime = croniter(f"0 0 {days}", midnight - timedelta(seconds=1)).get_next(datetime)
    except ValueError:
        return None
    return (found.date() - _EPOCH).days
