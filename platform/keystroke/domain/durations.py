"""Durations as people write them: a number of seconds, a timedelta, or text such as `90s`, `1h30m`, `3d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

Duration = int | float | timedelta | str

_UNITS: Final = {"w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])")
_WHOLE: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[wdhms]))+\Z")
#: A hundred years; longer is a mistake, and no sum with a time overflows.
_LONGEST: Final = timedelta(days=36_525)


def parse_duration(value: Duration) -> timedelta:
    """The duration as a timedelta; ValueError names what is wrong with it."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a duration")
    try:
        if isinstance(value, str):
            duration = timedelta(seconds=_seconds(value))
        else:
            duration = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except OverflowError as error:
        raise ValueError(f"{value!r} is longer than a hundred years") from error
    if not timedelta(0) <= duration <= _LONGEST:
        raise ValueError(f"{value!r} is not between zero and a hundred years")
    return duration


def _seconds(text: str) -> float:
    compact = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return float(compact)
    if not _WHOLE.match(compact):
        raise ValueError(f"{text!r} is not a duration: write 90s, 1h30m or 3d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact))
