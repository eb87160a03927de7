"""A workflow's input schema as the fields of a form, and what was entered into them as JSON again.

What a form cannot say well (lists, unions, maps) is a field for JSON. A schema that is no object, or whose names a form could
not carry, is entered as JSON altogether.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from keystroke_api.refusals import InvalidJson
from keystroke_api.strict_json import parse_json
from keystroke_api.ui.contexts import Choice, Field

Schema = dict[str, Any]
#: Names of fields in the form begin so, since the form has others too.
ROOT: Final = "input"
_DEEPEST_GROUP: Final = 2
_BOUNDS: Final = (
    ("minimum", "at least {}"), ("maximum", "at most {}"), ("exclusiveMinimum", "more than {}"),
    ("exclusiveMaximum", "less than {}"), ("minLength", "at least {} characters"), ("maxLength", "at most {} characters"),
    ("pattern", "matching {}"),
)  # fmt: skip
#: Types that a field shows by being what it is.
_OBVIOUS: Final = frozenset({"string", "boolean"})
_NUMBERS: Final = frozenset({"integer", "number"})


def fits_form(schema: Schema) -> bool:
    """Whether the input can be entered field by field."""
    return _is_object(schema) and all("." not in name for name in schema["properties"])


def fields_of(
    schema: Schema, entered: Mapping[str, str] | None = None, errors: Mapping[str, list[str]] | None = None
) -> list[Field]:
    """The fields; with what was entered and what is wrong with it by name, where the form is shown again."""
    return _Fields(schema, entered, errors or {}).of(schema, ROOT, 1)


def entered_value(schema: Schema, entered: Mapping[str, str]) -> tuple[Any, dict[str, list[str]]]:
    """The JSON value of a form that was sent, and by name what is no JSON or is missing."""
    errors: dict[str, list[str]] = {}
    return _value(schema, schema, ROOT, entered, errors, 1), errors


class _Fields:
    """Makes the fields of one form."""

    def __init__(
        self, root: Schema, entered: Mapping[str, str] | None, errors: Mapping[str, list[str]]
    ) -> None:
        self._root = root
        self._entered = entered
        self._errors = errors

    def of(self, schema: Schema, prefix: str, depth: int) -> list[Field]:
        """The fields of an object."""
        required = schema.get("required", [])
        return [
            self._field(f"{prefix}.{name}", name, part, name in required, depth)
            for name, part in schema["properties"].items()
        ]

    def _field(self, path: str, name: str, part: Schema, required: bool, depth: int) -> Field:
        schema = resolved(self._root, part)
        kind = _kind(schema, depth)
        value = self._value_of(path, schema, kind)
        return Field(
            name=path, label=schema.get("title") or name, help=schema.get("description", ""), kind=kind, required=required,
            value=value, hint=_hint(schema), choices=_choices(schema, value) if kind == "choice" else [],
            errors=self._errors.get(path, []), fields=self.of(schema, path, depth + 1) if kind == "group" else [],
        )  # fmt: skip

    def _value_of(self, path: str, schema: Schema, kind: str) -> str:
        if self._entered is not None:
            return "" if kind == "secret" else self._entered.get(path, "")
        if "default" not in schema or kind in ("group", "secret"):
            return ""
        default = schema["default"]
        if kind in ("choice", "json"):
            return json.dumps(default, ensure_ascii=False) if default is not None or kind == "choice" else ""
        if kind == "flag":
            return "true" if default else ""
        return "" if default is None else str(default)


def resolved(root: Schema, part: Schema) -> Schema:
    """The schema behind references, and of `X or null` that of X; title and default of the outer one win."""
    schema = dict(part)
    for _ in range(20):
        inner: Any = None
        if schema.get("$ref", "").startswith("#/$defs/"):
            inner = root.get("$defs", {}).get(schema.pop("$ref").removeprefix("#/$defs/"))
        else:
            kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
            if len(kinds) == 1:
                del schema["anyOf"]
                inner = kinds[0]
        if not isinstance(inner, dict):
            break
        schema = {**inner, **schema}
    return schema


def _value(
    root: Schema,
    schema: Schema,
    prefix: str,
    entered: Mapping[str, str],
    errors: dict[str, list[str]],
    depth: int,
) -> dict[str, Any]:
    value: dict[str, Any] = {}
    required = schema.get("required", [])
    for name, part in schema["properties"].items():
        path, inner = f"{prefix}.{name}", resolved(root, part)
        kind, text = _kind(inner, depth), entered.get(path, "")
        if kind == "group":
            group = _value(root, inner, path, entered, errors, depth + 1)
            if group or name in required:
                value[name] = group
        elif kind == "flag":
            value[name] = bool(text)
        elif text:
            value[name] = _parsed(kind, text, path, errors)
        elif name in required:
            errors[path] = ["This is needed."]
    return value


def _parsed(kind: str, text: str, path: str, errors: dict[str, list[str]]) -> Any:
    """What a text means; a number that is none stays a text, and the schema will say so."""
    if kind in ("text", "long", "secret"):
        return text.replace("\r\n", "\n")
    try:
        return parse_json(text.encode())
    except InvalidJson as error:
        if kind == "json":
            errors[path] = [f"This is not JSON: {error.why}"]  # type: ignore[attr-defined]
        return text


def _is_object(schema: Schema) -> bool:
    return schema.get("type") == "object" and bool(schema.get("properties"))


def _kind(schema: Schema, depth: int) -> str:
    if "enum" in schema or "const" in schema:
        return "choice"
    kind = schema.get("type")
    if kind == "string":
        return "secret" if schema.get("writeOnly") else "long" if schema.get("maxLength", 0) > 200 else "text"
    if kind == "boolean":
        return "flag"
    if kind in _NUMBERS:
        return str(kind)
    named = _is_object(schema) and all("." not in name for name in schema["properties"])
    return "group" if named and depth <= _DEEPEST_GROUP else "json"


def _choices(schema: Schema, value: str) -> list[Choice]:
    values = schema.get("enum", [schema.get("const")])
    texts = [
        (json.dumps(each, ensure_ascii=False), each if isinstance(each, str) else json.dumps(each))
        for each in values
    ]
    return [Choice(text, label, text == value) for text, label in texts]


def _hint(schema: Schema) -> str:
    kind = schema.get("format") or schema.get("type")
    words = [kind] if isinstance(kind, str) and kind not in _OBVIOUS else []
    words += [
        text.format(schema[name])
        for name, text in _BOUNDS
        if name in schema and (name, schema[name]) != ("minLength", 1)
    ]
    return ", ".join(words)
