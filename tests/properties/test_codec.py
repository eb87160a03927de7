"""The canonical form: what is recorded comes back, and equal values have equal digests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from keystroke.authoring.action import action
from keystroke.authoring.codec import Codec
from keystroke.box import Box
from keystroke.domain.payload import encode_payload
from keystroke.errors import NotJson

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-(2**53), 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | FINITE | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT.filter(lambda key: key != "$sealed"), inner, max_size=4)
    ),
    max_leaves=12,
)
BOX = Box(("one of these days",))


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    x: float
    y: float


class Order(BaseModel):
    number: int
    customer: str = Field(alias="customerName")
    price: Decimal
    at: datetime
    day: date | None
    lasts: timedelta
    id: UUID
    colors: frozenset[Color]
    points: tuple[Point, ...]
    notes: dict[str, set[int]]
    pin: SecretStr
    extra: Any


ORDERS = st.builds(
    Order,
    number=WHOLE,
    customerName=TEXT,
    price=st.decimals(allow_nan=False, allow_infinity=False, places=4),
    at=st.datetimes(timezones=st.just(UTC)),
    day=st.none() | st.dates(),
    lasts=st.timedeltas(-timedelta(days=10_000), timedelta(days=10_000)),
    id=st.uuids(),
    colors=st.frozensets(st.sampled_from(Color)),
    points=st.lists(st.builds(Point, FINITE, FINITE), max_size=3).map(tuple),
    notes=st.dictionaries(TEXT, st.sets(WHOLE, max_size=4), max_size=3),
    pin=TEXT.map(SecretStr),
    extra=JSON,
)


@given(ORDERS)
def test_what_is_recorded_comes_back(order: Order) -> None:
    codec = Codec(Order)
    assert codec.load(codec.dump(order, "order", BOX), BOX) == order


@given(ORDERS)
def test_published_values_come_back_by_alias(order: Order) -> None:
    codec = Codec(Order, "input")
    recorded = codec.dump(order, "order", BOX)
    assert "customerName" in recorded
    assert codec.load(recorded, BOX) == order


@given(ORDERS)
def test_no_secret_is_recorded_in_clear_and_digests_are_stable(order: Order) -> None:
    codec = Codec(Order)
    first, second = codec.record(order, "order", BOX), codec.record(order, "order", BOX)
    assert set(first.payload["pin"]) == {"$sealed"}
    assert first.payload["pin"] != second.payload["pin"]
    assert first.digest("order") == second.digest("order")


@given(st.lists(TEXT, unique=True, max_size=8), st.randoms())
def test_the_order_in_which_a_set_was_filled_does_not_show(members: list[str], random: Any) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)
    codec = Codec(set[str])
    recorded = codec.dump(set(members))
    assert (
        recorded
        == codec.dump(set(shuffled))
        == sorted(recorded, key=lambda text: encode_payload(text, what="text"))
    )


@given(st.lists(TEXT, unique=True, max_size=6))
def test_sets_are_sorted_where_no_type_says_that_they_are_sets(members: list[str]) -> None:
    codec = Codec(Any)
    assert codec.dump({"a": [frozenset(members)]}) == codec.dump({"a": [frozenset(reversed(members))]})


@given(st.sets(TEXT.map(SecretStr), max_size=5))
def test_a_set_of_secrets_is_sealed_in_a_stable_order(secrets: set[SecretStr]) -> None:
    codec = Codec(set[SecretStr])
    members = list(secrets)
    members.reverse()
    assert codec.fingerprint(secrets, box=BOX) == codec.fingerprint(set(members), box=BOX)
    assert codec.load(codec.dump(secrets, box=BOX), BOX) == secrets


@given(st.dictionaries(TEXT.filter(lambda key: key != "$sealed"), JSON, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_change_a_digest(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    codec = Codec(dict[str, Any])
    first, second = codec.record(value), codec.record({key: value[key] for key in keys})
    assert first.digest("value") == second.digest("value")


@given(JSON)
def test_json_without_a_type_is_recorded_as_it_is(value: Any) -> None:
    codec = Codec(Any)
    assert codec.load(codec.dump(value)) == value


@given(JSON, st.sampled_from([math.nan, math.inf, -math.inf]), st.sampled_from([Any, dict[str, Any], object]))
def test_what_json_does_not_have_is_refused_wherever_it_hides(value: Any, wrong: float, kind: Any) -> None:
    with pytest.raises(NotJson, match="The reading"):
        Codec(kind).dump({"deep": [value, {"er": (wrong,)}]}, "reading")


@given(WHOLE, TEXT)
def test_how_arguments_are_passed_does_not_change_a_digest(number: int, text: str) -> None:
    @action
    def store(number: int, text: str, limit: int = 3) -> None: ...

    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((number, text), {}),
        ((number,), {"text": text}),
        ((), {"text": text, "limit": 3, "number": number}),
    ]
    digests = {store.arguments.record(args, kwargs, BOX).digest("arguments") for args, kwargs in calls}
    assert len(digests) == 1
