"""Form-encoded bodies as payloads: texts become what the schema asks for, and a field `payload` of JSON is that JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from keystroke.domain.payload import Json
from keystroke.domain.strict_json import LONGEST_INTEGER, parse_strictly
from keystroke.errors import NotJson

#: GitHub and Slack send JSON in a form of this one field.
_ENVELOPE: Final = "payload"
_MOST_FIELDS: Final = 1_000
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?\Z")
_BOOLEANS: Final = {
    "true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip
_DEEPEST: Final = 20

Schema = Mapping[str, Any]


def read_form(body: bytes, schema: Schema | None) -> Json:
    """The payload of a form: an object of its fields by the schema, or the JSON of its one field `payload`.

    A field that occurs several times is a list where the schema has one there, else the last counts. ValueError, NotJson.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} of the form is not UTF-8") from error
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    if [name for name, _ in pairs] == [_ENVELOPE] and (enveloped := _json(pairs[0][1])) is not None:
        return enveloped
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    root = schema or {}
    return {name: _field(values, root, _properties(root).get(name)) for name, values in fields.items()}


def _json(text: str) -> Json:
    """The object or list of a JSON text; None where it is anything else, a plain word perhaps."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return parse_strictly(text.encode())
    except (ValueError, NotJson):
        return None


def _properties(root: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _parts(root, root):
        found |= part.get("properties", {})
    return found


def _field(values: list[str], root: Schema, schema: Any) -> Json:
    for part in _parts(root, schema):
        if part.get("type") == "array":
            return [_scalar(each, root, part.get("items")) for each in values]
    return _scalar(values[-1], root, schema)


def _scalar(text: str, root: Schema, schema: Any) -> Json:
    """The text as the first type that it can be of those that the schema allows; itself where it can be none."""
    allowed = set(_types(root, schema))
    if "string" in allowed or not allowed:
        return text
    if "integer" in allowed and _INTEGER.match(text) and len(text) <= LONGEST_INTEGER:
        return int(text)
    if "number" in allowed and _NUMBER.match(text) and abs(float(text)) < float("inf"):
        return float(text)
    if "boolean" in allowed and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if "null" in allowed and not text:
        return None
    parsed = _json(text) if allowed & {"object", "array"} else None
    return text if parsed is None else parsed


def _types(root: Schema, schema: Any) -> Iterator[str]:
    for part in _parts(root, schema):
        named = part.get("type")
        yield from [named] if isinstance(named, str) else named or ()
        for value in [part["const"]] if "const" in part else part.get("enum", ()):
            yield _type_of(value)


def _type_of(value: Json) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _parts(root: Schema, schema: Any, depth: int = 0) -> Iterator[Schema]:
    """The schema with all that it refers to or is composed of."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    yield schema
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        definitions = root.get("$defs", {})
        yield from _parts(root, definitions.get(reference.removeprefix("#/$defs/")), depth + 1)
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, []):
            yield from _parts(root, part, depth + 1)
