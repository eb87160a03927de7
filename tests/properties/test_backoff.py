"""Backoff: pauses grow, never beyond their bound, and whole fleets do not come back in step."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystroke.domain.retry import Backoff

pauses = st.floats(0.001, 86_400)
backoffs = st.builds(Backoff, first=pauses, factor=st.floats(1, 10), longest=pauses)
failures = st.integers(1, 10_000)


@given(backoffs, failures)
def test_the_bound_never_shrinks_and_never_exceeds_the_longest(backoff: Backoff, count: int) -> None:
    assert backoff.bound(count) <= backoff.bound(count + 1) <= timedelta(seconds=float(str(backoff.longest)))


@given(backoffs)
def test_the_first_bound_is_the_first_pause(backoff: Backoff) -> None:
    expected = min(float(str(backoff.first)), float(str(backoff.longest)))
    assert backoff.bound(1) == timedelta(seconds=expected)


@given(backoffs, failures, st.floats(0, 1, exclude_max=True))
def test_a_pause_lies_between_zero_and_its_bound(backoff: Backoff, count: int, draw: float) -> None:
    assert timedelta(0) <= backoff.pause(count, draw) <= backoff.bound(count)


def test_the_default_doubles_from_a_second_to_five_minutes() -> None:
    bounds = [Backoff().bound(count).total_seconds() for count in range(1, 12)]
    assert bounds == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(failures)
def test_draws_spread_evenly_over_the_whole_bound(count: int) -> None:
    backoff = Backoff()
    assert backoff.pause(count, 0.0) == timedelta(0)
    assert backoff.pause(count, 0.5) == backoff.bound(count) * 0.5


@pytest.mark.parametrize(
    "wrong", [{"factor": 0.5}, {"factor": float("nan")}, {"first": "soon"}, {"longest": -1}]
)
def test_nonsense_is_refused_where_it_is_written(wrong: dict[str, float | str]) -> None:
    with pytest.raises(ValueError, match=r"factor|duration|between"):
        Backoff(**wrong)  # type: ignore[arg-type]
