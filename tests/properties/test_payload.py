"""Payloads: one text for equal values, back to the same value, and a clear refusal of what JSON cannot say."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystroke.domain.payload import check_depth, decode_payload, digest, encode_payload
from keystroke.errors import NotJson, PayloadTooLarge

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
payloads = st.recursive(scalars, lambda child: st.lists(child) | st.dictionaries(text, child), max_leaves=20)


@given(payloads)
def test_what_is_encoded_is_decoded_to_the_same(value: object) -> None:
    assert decode_payload(encode_payload(value, what="input")) == value


@given(st.dictionaries(text, payloads), st.randoms())
def test_the_order_of_keys_changes_nothing(value: dict[str, object], rng: random.Random) -> None:
    shuffled = list(value.items())
    rng.shuffle(shuffled)
    assert encode_payload(dict(shuffled), what="input") == encode_payload(value, what="input")


@given(payloads)
def test_the_text_is_canonical(value: object) -> None:
    encoded = encode_payload(value, what="input")
    assert encode_payload(json.loads(encoded), what="input") == encoded
    assert len(digest(encoded)) == 64


@given(payloads)
def test_the_limit_is_in_bytes_and_names_the_payload(value: object) -> None:
    size = len(encode_payload(value, what="input").encode())
    assert encode_payload(value, what="input", limit=size)
    with pytest.raises(PayloadTooLarge, match=f"output of charge has {size} bytes"):
        encode_payload(value, what="output of charge", limit=size - 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"a": {1, 2}}, object(), b"x"])
def test_what_json_cannot_say_is_refused_by_name(value: object) -> None:
    with pytest.raises(NotJson, match="The input cannot be kept as JSON"):
        encode_payload(value, what="input")


def test_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(NotJson):
        encode_payload(circle, what="input")


@given(st.integers(0, 400))
def test_depth_is_bounded_without_recursion(depth: int) -> None:
    value: object = 1
    for _ in range(depth):
        value = [value] if depth % 2 else {"a": value}
    if depth <= 200:
        check_depth(value, what="input")
    else:
        with pytest.raises(NotJson, match="nested more than 200 levels deep"):
            check_depth(value, what="input")
