"""How times, durations, sizes, counts and money read, wherever people read them."""

from __future__ import annotations

from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def time_text(time: str | None) -> str:
    """An RFC 3339 time in UTC as `Nov 23, 20:31:07`; the page's script turns it into the reader's own zone."""
    if not time:
        return ""
    return f"{_MONTHS[int(time[5:7]) - 1]} {int(time[8:10])}, {time[11:19]}"


def full_time_text(time: str | None) -> str:
    """An RFC 3339 time in UTC with its year and milliseconds: `2026-11-23 20:31:07.123 UTC`."""
    return f"{time[:10]} {time[11:23]} UTC" if time else ""


def duration_text(milliseconds: int | None) -> str:
    """`842 ms`, `1.2 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`; a dash for what has not begun."""
    if milliseconds is None:
        return "–"
    if milliseconds < _SECOND:
        return f"{max(milliseconds, 0)} ms"
    if milliseconds < 10 * _SECOND:
        return f"{milliseconds // 100 / 10:.1f} s"
    if milliseconds < _MINUTE:
        return f"{milliseconds // _SECOND} s"
    if milliseconds < _HOUR:
        return _two(milliseconds, _MINUTE, "min", _SECOND, "s")
    if milliseconds < _DAY:
        return _two(milliseconds, _HOUR, "h", _MINUTE, "min")
    return _two(milliseconds, _DAY, "d", _HOUR, "h")


def size_text(characters: int) -> str:
    """`512 B`, `1.5 kB`, `1.0 MB`."""
    if characters < 1_000:
        return f"{characters} B"
    return f"{characters / 1_000:.1f} kB" if characters < 1_000_000 else f"{characters / 1_000_000:.1f} MB"


def money_text(amount: str, currency: str) -> str:
    """An exact decimal with its currency, `0.0042 USD`; nothing for no cost at all."""
    return "" if amount in ("", "0") else f"{amount} {currency}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _two(milliseconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    whole, rest = divmod(milliseconds, large)
    return f"{whole} {large_unit} {rest // small} {small_unit}"
