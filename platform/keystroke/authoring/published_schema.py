"""JSON Schemas as they are published: the same in every process, and without what stands for a secret."""

from __future__ import annotations

from typing import Any, Final

from keystroke.domain.payload import encode_payload

#: What Pydantic writes in the place of a secret: as a default it would be taken for one.
_HIDDEN: Final = "**********"
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})


def publishable(schema: Any) -> Any:
    """The schema with defaults of secrets left out, and defaults of sets sorted: they come in the order of their hashes."""
    if isinstance(schema, list):
        return [publishable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _part(key, item) for key, item in schema.items() if not _hides(key, item)}
    if schema.get("uniqueItems") is True and isinstance(tidy.get("default"), list):
        tidy["default"] = sorted(tidy["default"], key=lambda member: encode_payload(member, what="default"))
    return tidy


def _part(key: str, item: Any) -> Any:
    # Below these the keys are names that the author chose.
    if key in _NAMED and isinstance(item, dict):
        return {name: publishable(each) for name, each in item.items()}
    return publishable(item)


def _hides(key: str, item: Any) -> bool:
    return key == "default" and _HIDDEN in _leaves(item)


def _leaves(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if children is None else [leaf for child in children for leaf in _leaves(child)]
