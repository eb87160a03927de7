"""From Python values to recorded JSON and back, by an annotation; see `canonical` for the form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, cast, get_args, get_origin

from pydantic import (
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaMode

from keystroke.authoring.canonical import NotCanonical, reveal, settle
from keystroke.authoring.published_schema import publishable
from keystroke.authoring.shape import is_plain
from keystroke.box import Box
from keystroke.domain.payload import Json, check_depth, digest, encode_payload
from keystroke.domain.secrets import open_sealed, sealed
from keystroke.errors import InvalidValue, KeystrokeError, NotJson, PathError, UnsupportedType

#: What a value is recorded for. `step`: for this code alone, by the names of its fields. `input` and `output`: as
#: published, by alias; only an output shows computed fields, since they cannot be read back.
Purpose = Literal["step", "input", "output"]

FINGERPRINT: Final = "$fingerprint"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A value in its canonical form.

    `value` is what validation made of it (what code will see after a replay, too), `payload` what is recorded, with
    secrets sealed, `digested` the same with keyed fingerprints in their places, since sealing gives another token each time.
    """

    value: Any
    payload: Json
    digested: Json

    def digest(self, what: str) -> str:
        """SHA-256 of the canonical text, in hexadecimal."""
        return digest(encode_payload(self.digested, what=what))


class Codec:
    """Records and reads values of one annotation."""

    def __init__(self, annotation: Any, purpose: Purpose = "step") -> None:
        """UnsupportedType where Pydantic cannot handle the annotation."""
        self.annotation = annotation
        self.type = type_name(annotation)
        self._by_alias = purpose != "step"
        self._round_trip = purpose != "output"
        self._adapter: TypeAdapter[Any] = self._checked(lambda: TypeAdapter(annotation))
        self._is_plain = is_plain(self._adapter.core_schema)

    def record(self, value: Any, what: str = "value", box: Box | None = None) -> Recorded:
        """The value's canonical form; `what` names it in errors.

        Raises InvalidValue where it is not of the annotation, NotJson where it cannot be represented. Without a box
        secrets are revealed.
        """
        valid = self._validated(value, what)
        dumped = self._guarded(what, lambda: self._dumped(valid, "json"))
        if self._is_plain:
            return Recorded(valid, dumped, dumped)
        tree = self._guarded(what, lambda: self._revealed(valid, dumped, what))
        if box is None:
            plain = settle(tree, str)
            return Recorded(valid, plain, plain)
        payload = settle(tree, lambda text: sealed(box.encrypt(text)))
        return Recorded(valid, payload, settle(tree, lambda text: {FINGERPRINT: box.fingerprint(text)}))

    def dump(self, value: Any, what: str = "value", box: Box | None = None) -> Json:
        """What is recorded of the value; see `record`."""
        return self.record(value, what, box).payload

    def fingerprint(self, value: Any, what: str = "value", box: Box | None = None) -> Json:
        """What is digested of the value; see `record`."""
        return self.record(value, what, box).digested

    def load(self, payload: Json, box: Box | None = None, what: str = "value") -> Any:
        """The validated value of a payload, its secrets opened; InvalidValue where it does not fit."""
        opened = payload if box is None else open_sealed(payload, box.decrypt)
        text = encode_payload(opened, what=what)
        try:
            return self._adapter.validate_json(text, by_alias=self._by_alias, by_name=True)
        except ValidationError as error:
            raise self._misfit(error, what) from error

    def schema(self, mode: JsonSchemaMode = "validation") -> dict[str, Any]:
        """The JSON Schema of what is read (`validation`) or recorded (`serialization`); UnsupportedType if it has none."""
        return self._checked(lambda: self._schema(mode))

    def _schema(self, mode: JsonSchemaMode) -> dict[str, Any]:
        schema = publishable(self._adapter.json_schema(by_alias=self._by_alias, mode=mode))
        encode_payload(schema, what="JSON Schema")
        return cast("dict[str, Any]", schema)

    def _validated(self, value: Any, what: str) -> Any:
        if isinstance(value, Iterator):
            why = "an iterator is used up when it is recorded; give a list"
            raise NotJson(what=f"{what} ({type(value).__name__})", why=why)
        try:
            return self._adapter.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            raise self._misfit(error, what) from error

    def _dumped(self, value: Any, mode: Literal["json", "python"]) -> Any:
        return self._adapter.dump_python(
            value, mode=mode, by_alias=self._by_alias, round_trip=self._round_trip, warnings="error"
        )

    def _revealed(self, value: Any, dumped: Json, what: str) -> Any:
        check_depth(dumped, what=what)
        try:
            return reveal(self._dumped(value, "python"), dumped)
        except TypeError as error:
            raise NotCanonical(
                f"a set of what Python cannot hash once it is data ({error}); use a list"
            ) from error

    def _guarded(self, what: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except (TypeError, ValueError, RecursionError) as error:
            raise NotJson(what=f"{what} ({self.type})", why=str(error)) from error

    def _misfit(self, error: ValidationError, what: str) -> InvalidValue:
        return InvalidValue(what=what, type=self.type, errors=path_errors(error))

    def _checked(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except Exception as error:
            # Types can bring code of their author's, which may raise anything.
            raise UnsupportedType(type=self.type, why=_why(error)) from error


def _why(error: Exception) -> str:
    if isinstance(error, PydanticSchemaGenerationError):
        return "Pydantic has no schema for it; use a Pydantic model, a dataclass or a plain type"
    known = isinstance(error, PydanticUserError | PydanticUndefinedAnnotation | KeystrokeError)
    return str(error).split("\n")[0] if known else f"{type(error).__name__}: {error}"


def path_errors(error: ValidationError) -> list[PathError]:
    """What Pydantic found, by JSONPath; the values themselves are left out, since they may be secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [PathError(json_path(each["loc"]), each["msg"]) for each in found]


def json_path(location: Sequence[str | int]) -> str:
    """`$.items[0].name` for `("items", 0, "name")`."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def type_name(annotation: Any) -> str:
    """The annotation as its author wrote it, without modules: `list[Brief]`."""
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    if isinstance(annotation, type) and not hasattr(annotation, "__origin__"):
        return "None" if annotation is type(None) else annotation.__qualname__.rpartition("<locals>.")[2]
    return re.sub(r"(?:\w+\.)+(?:<locals>\.)?", "", repr(annotation))
