"""What can be recorded, what is refused, and how the refusal reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
)

from keystroke.authoring.codec import Codec, type_name
from keystroke.box import Box
from keystroke.errors import InvalidValue, NotJson, SecretUnreadable, UnsupportedType

BOX = Box(("one of these days",))


class Item(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    sizes: frozenset[int] = frozenset()


class Square(BaseModel):
    side: int = Field(alias="edge")

    @computed_field
    def area(self) -> int:
        return self.side**2


class Folded(BaseModel):
    parts: list[float]

    @field_serializer("parts", when_used="json")
    def fold(self, parts: list[float]) -> str:
        return "+".join(map(str, parts))


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str


def test_a_strict_model_comes_back_from_json() -> None:
    codec = Codec(Item)
    item = Item(name="hat", sizes=frozenset({3, 1, 2}))
    assert codec.dump(item) == {"name": "hat", "sizes": [1, 2, 3]}
    assert codec.load(codec.dump(item)) == item


def test_validation_is_part_of_recording_so_that_live_and_replayed_values_are_alike() -> None:
    recorded = Codec(Frozen).record({"name": "hat"})
    assert recorded.value == Frozen(name="hat")


def test_outputs_show_computed_fields_and_aliases_and_steps_do_not() -> None:
    square = Square(edge=3)
    assert Codec(Square, "output").dump(square) == {"edge": 3, "area": 9}
    assert Codec(Square, "step").dump(square) == {"side": 3}
    assert Codec(Square, "step").load({"side": 3}) == square


def test_an_authors_own_serializer_may_give_json_another_shape() -> None:
    assert Codec(Folded).dump(Folded(parts=[1.5, 2.0])) == {"parts": "1.5+2.0"}


@pytest.mark.parametrize("annotation", [float, Any, list[float], dict[str, float], tuple[Any, ...]])
def test_nan_is_refused_with_the_name_and_the_type(annotation: Any) -> None:
    nan = float("nan")
    value: Any = {dict[str, float]: {"a": nan}, list[float]: [nan], tuple[Any, ...]: (nan,)}.get(
        annotation, nan
    )
    with pytest.raises(NotJson) as refused:
        Codec(annotation).dump(value, "argument price of buy")
    assert str(refused.value).startswith(
        f"The argument price of buy ({type_name(annotation)}) cannot be kept as JSON: "
    )
    assert "nan" in str(refused.value)


def test_what_does_not_fit_is_refused_by_path_and_without_its_value() -> None:
    with pytest.raises(InvalidValue) as refused:
        Codec(list[Item]).dump([{"name": "geheim", "sizes": frozenset({"x"})}], "result of pick")
    assert (
        str(refused.value)
        == "The result of pick does not fit list[Item]: $[0].sizes[0]: Input should be a valid integer"
    )
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("annotation", "value", "why"),
    [
        (Any, threading.Lock(), "Unable to serialize unknown type"),
        (bytes, b"\xff", "invalid utf-8"),
        (Any, {frozenset({1}): 1}, "not valid as object key"),
        (list[int], iter([1]), "an iterator is used up"),
        (dict[Any, int], {1: 1, "1": 2}, "keys that are the same as text"),
        (set[Frozen], {Frozen(name="a")}, "use a list"),
        (Secret[list[int]], Secret([1]), "a secret list"),
        (dict[str, str], {"$sealed": "x"}, "reserved"),
    ],
)
def test_what_json_cannot_hold_is_refused(annotation: Any, value: Any, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        Codec(annotation).record(value, "value", BOX)


def test_circles_and_bottomless_nesting_are_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(220):
        deep = [deep]
    for value in (circle, deep):
        with pytest.raises(NotJson):
            Codec(Any).dump(value)


@pytest.mark.parametrize(
    ("annotation", "secret"),
    [
        (SecretStr, SecretStr("geheim")),
        (SecretBytes, SecretBytes(b"geheim")),
        (Secret[int], Secret(4711)),
        (Any, None),
    ],
)
def test_secrets_are_sealed_and_come_back(annotation: Any, secret: Any) -> None:
    codec = Codec(dict[str, annotation])
    value = {"pin": secret, "none": secret}
    recorded = codec.record(value, "value", BOX)
    assert "geheim" not in str(recorded.payload)
    assert codec.load(recorded.payload, BOX) == value


def test_a_secret_hidden_behind_any_is_sealed_too() -> None:
    recorded = Codec(Any).record({"deep": [SecretStr("geheim")]}, "value", BOX)
    assert set(recorded.payload["deep"][0]) == {"$sealed"}
    assert Codec(Any).load(recorded.payload, BOX) == {"deep": ["geheim"]}


def test_a_secret_of_another_key_is_said_to_be_unreadable() -> None:
    recorded = Codec(SecretStr).dump(SecretStr("geheim"), box=BOX)
    with pytest.raises(SecretUnreadable):
        Codec(SecretStr).load(recorded, Box(("another one",)))


def test_a_digest_tells_secrets_apart_without_holding_them() -> None:
    codec = Codec(SecretStr)
    assert codec.fingerprint(SecretStr("a"), box=BOX) == codec.fingerprint(SecretStr("a"), box=BOX)
    assert codec.fingerprint(SecretStr("a"), box=BOX) != codec.fingerprint(SecretStr("b"), box=BOX)


def test_fields_named_like_parts_of_a_schema_do_not_hide_their_secrets() -> None:
    class Odd(BaseModel):
        default: SecretStr
        cls: set[str]

    recorded = Codec(Odd).dump(Odd(default=SecretStr("geheim"), cls={"b", "a"}), box=BOX)
    assert set(recorded["default"]) == {"$sealed"}
    assert recorded["cls"] == ["a", "b"]


@dataclass
class Holder:
    lock: threading.Event
    lines: Iterator[str]


class Defaults(BaseModel):
    default: SecretStr = SecretStr("geheim")
    login: dict[str, SecretStr] = {"pin": SecretStr("geheim")}
    groups: set[str] = {"d", "c", "b", "a"}
    limit: float = 1.5


def test_a_published_schema_holds_no_stand_in_for_a_secret_and_no_random_order() -> None:
    properties = Codec(Defaults, "input").schema()["properties"]
    defaults = {name: schema.get("default") for name, schema in properties.items()}
    assert defaults == {"default": None, "login": None, "groups": ["a", "b", "c", "d"], "limit": 1.5}


def test_a_schema_that_json_cannot_hold_is_refused() -> None:
    class Endless(BaseModel):
        limit: float = float("inf")

    with pytest.raises(
        UnsupportedType, match="Endless cannot be recorded: The JSON Schema cannot be kept as JSON"
    ):
        Codec(Endless).schema()


class Grumpy:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        raise LookupError("not today")


def test_what_a_type_of_the_author_raises_is_said() -> None:
    with pytest.raises(UnsupportedType, match="Grumpy cannot be recorded: LookupError: not today"):
        Codec(Grumpy)


def test_a_type_without_a_schema_is_named() -> None:
    with pytest.raises(UnsupportedType, match="Holder cannot be recorded: Pydantic has no schema for it"):
        Codec(Holder)


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int, "int"),
        (list[Item], "list[Item]"),
        (dict[str, Any], "dict[str, Any]"),
        (Item, "Item"),
        (int | None, "int | None"),
    ],
)
def test_types_are_named_as_their_author_wrote_them(annotation: Any, name: str) -> None:
    assert type_name(annotation) == name
