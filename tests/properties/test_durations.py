"""Durations: what can be written is read as meant, what cannot is refused with a sentence."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystroke.domain.durations import parse_duration

century = timedelta(days=36_525)
durations = st.timedeltas(timedelta(0), century)


@given(durations)
def test_a_timedelta_is_itself(duration: timedelta) -> None:
    assert parse_duration(duration) == duration


@given(st.integers(0, 3_000_000_000))
def test_a_number_is_seconds_however_it_is_written(seconds: int) -> None:
    expected = timedelta(seconds=seconds)
    assert (
        parse_duration(seconds) == parse_duration(str(seconds)) == parse_duration(f"{seconds}s") == expected
    )


@given(st.integers(0, 500), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_add_up(days: int, hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s{milliseconds}ms"
    expected = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
    assert abs(parse_duration(text) - expected) <= timedelta(microseconds=10)
    assert parse_duration(f" {text.upper()} ") == parse_duration(text)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.timedeltas(), st.booleans()))
def test_anything_else_is_a_value_error_or_a_duration_within_bounds(value: str | float | timedelta) -> None:
    with suppress(ValueError):
        assert timedelta(0) <= parse_duration(value) <= century


@pytest.mark.parametrize("value", ["", "1", "1.5h", "2w", 0, 0.5])
def test_accepted(value: str | float) -> None:
    if value == "":
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(value)
    else:
        assert parse_duration(value) >= timedelta(0)


@pytest.mark.parametrize(
    "value", ["-1s", "1h 30m", "soon", "1y", -1, float("nan"), float("inf"), True, 10**400]
)
def test_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match=r"duration|between|longer|NaN"):
        parse_duration(value)
