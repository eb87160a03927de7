"""Ids sort as they were made, are never the same, and look like what they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keystroke import ids


def test_ids_sort_by_their_creation() -> None:
    made = [ids.new_run_id() for _ in range(5_000)]
    assert sorted(made) == made
    assert len(set(made)) == len(made)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_texts_sort_as_their_numbers_do(one: int, other: int) -> None:
    assert (ids.encode(one) < ids.encode(other)) == (one < other)
    assert len(ids.encode(one)) == 26


@given(st.integers(0, 26))
def test_every_beginning_of_a_run_id_is_one(length: int) -> None:
    assert ids.RUN_ID_PREFIX.match(ids.new_run_id()[: len("run_") + length])


@given(st.sampled_from(["run_i", "run_U", "run", "RUN_0", "run_0 ", "", "run_" + "0" * 27]))
def test_other_texts_are_none(text: str) -> None:
    assert not ids.RUN_ID_PREFIX.match(text)
