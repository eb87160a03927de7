"""A payload cut down to what a schema knows: what it forbids besides is left out, not refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keystroke.domain.payload import DEEPEST, Json

Schema = Mapping[str, Any]
_NULL: Final = {"type": "null"}


def pruned(schema: Schema, value: Json) -> Json:
    """The value without the fields that the schema forbids by `additionalProperties: false`, however deep they lie.

    What may be one of several shapes is left as it is: which fields are foreign to it cannot be told.
    """
    return _pruned(schema, schema, value, 0)


def _pruned(root: Schema, schema: Any, value: Json, depth: int) -> Json:
    schema = _resolved(root, schema)
    if schema is None or depth > DEEPEST:
        return value
    if isinstance(value, list):
        return [_pruned(root, schema.get("items"), each, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    closed = rest is False and "patternProperties" not in schema
    return {
        name: _pruned(root, properties.get(name, rest), each, depth + 1)
        for name, each in value.items()
        if name in properties or not closed
    }


def _resolved(root: Schema, schema: Any) -> Schema | None:
    """The one shape that a schema stands for, behind its references and beside null; None where it is not one."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return None
        choices = [each for each in schema.get("anyOf", schema.get("oneOf", ())) if each != _NULL]
        reference = schema.get("$ref", "")
        if reference.startswith("#/$defs/"):
            schema = root.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
        elif len(choices) == 1:
            schema = choices[0]
        else:
            return None if choices or "allOf" in schema else schema
    return None
