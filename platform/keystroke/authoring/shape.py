"""Whether values of a type are in canonical form as Pydantic dumps them, so that nothing needs to be walked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

#: Parts of a Pydantic core schema whose JSON needs no second look: no sets, floats, secrets, free-form parts or
#: serializers of the author. What is not listed here is walked.
_PLAIN: Final = frozenset({
    "model", "model-fields", "model-field", "dataclass", "dataclass-args", "dataclass-field", "typed-dict",
    "typed-dict-field", "definitions", "definition-ref", "nullable", "union", "tagged-union", "default", "list",
    "tuple", "str", "int", "bool", "none", "date", "time", "datetime", "timedelta", "uuid", "decimal", "enum",
    "literal", "url", "multi-host-url", "computed-field", "function-after", "function-before", "function-wrap",
})  # fmt: skip
#: What holds an author's own values, or nothing of the shape.
_OPAQUE: Final = frozenset({"default", "metadata", "expected", "members", "default_factory", "cls", "config"})
#: Parts by names that the author chose, such as the fields of a model.
_NAMED: Final = frozenset({"fields", "choices"})


def is_plain(schema: Any) -> bool:
    """Whether the core schema consists of plain parts alone."""
    if isinstance(schema, list | tuple):
        return all(is_plain(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if isinstance(schema.get("type"), str) and schema["type"] not in _PLAIN:
        return False
    if "serialization" in schema or schema.get("extra_behavior") == "allow":
        return False
    return all(is_plain(item) for item in _parts(schema))


def _parts(schema: dict[str, Any]) -> Iterator[Any]:
    for key, item in schema.items():
        if key in _NAMED and isinstance(item, dict):
            yield from item.values()
        elif key not in _OPAQUE:
            yield item
