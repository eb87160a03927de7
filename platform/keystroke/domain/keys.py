"""Keys of limits: a template over a run's input and tags, rendered when the run is admitted.

A key is `<slug>`, or `<slug>/<rendered template>`: limits are a workflow's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any, Final

from keystroke.domain.payload import encode_payload
from keystroke.domain.secrets import redact

#: Characters of a rendered template; what is longer is cut, and told apart by a digest of the whole.
LONGEST_KEY: Final = 200
_DIGITS: Final = 16
_NO_KEYS: Final[frozenset[str]] = frozenset()
_MISSING: Final = object()

Path = tuple[str, ...]


def render_key(
    slug: str, template: str | None, value: Any, schema: Mapping[str, Any], tags: Mapping[str, str]
) -> str:
    """The key of a run with this input (as recorded: its secrets sealed) and these tags.

    What the input does not have is the published schema's default, else the empty text. Texts stand as they are, anything
    else as canonical JSON; a secret is never shown.
    """
    if template is None:
        return slug
    seen = {"input": redact(value, _NO_KEYS), "tags": dict(tags)}
    parts = []
    for literal, field, _, _ in Formatter().parse(template):
        parts.append(literal)
        if field is not None:
            root, *path = path_of(field)
            found = _follow(seen[root], path)
            if found is _MISSING and root == "input":
                found = default_at(schema, tuple(path))
            parts.append(_text("" if found is _MISSING else found))
    return f"{slug}/{_bounded(''.join(parts))}"


def path_of(field: str) -> Path:
    """`input.customers[0].id` as `("input", "customers", "0", "id")`."""
    return tuple(part for part in field.replace("[", ".").replace("]", "").split(".") if part)


def paths_of(template: str | None) -> list[Path]:
    """What a template names."""
    return [path_of(field) for _, field, _, _ in Formatter().parse(template or "") if field]


def default_at(schema: Mapping[str, Any], path: Path) -> Any:
    """The published default of what lies at the path of an input that does not have it."""
    level: list[Any] = [schema]
    for at, name in enumerate(path):
        level = [
            part.get("properties", {}).get(name) for each in level for part in parts_of_schema(schema, each)
        ]
        for each in level:
            for part in parts_of_schema(schema, each):
                if "default" in part:
                    return _follow(part["default"], path[at + 1 :])
    return _MISSING


def names_secret(schema: Mapping[str, Any], path: Path) -> bool:
    """Whether the path leads to a secret of the input, or into one."""
    level: list[Any] = [schema]
    for name in path:
        parts = [part for each in level for part in parts_of_schema(schema, each)]
        level = [part.get("properties", {}).get(name) for part in parts]
        level += [part.get("items") for part in parts if name.isdigit()]
        level += [part.get("additionalProperties") for part in parts]
    return any(part.get("writeOnly") for each in level for part in parts_of_schema(schema, each))


def parts_of_schema(root: Mapping[str, Any], schema: Any) -> Iterator[Mapping[str, Any]]:
    """The schema and all that it refers to or is composed of."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    reference = str(schema.get("$ref", ""))
    if reference.startswith("#/$defs/"):
        yield from parts_of_schema(root, root.get("$defs", {}).get(reference.removeprefix("#/$defs/")))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, []):
            yield from parts_of_schema(root, part)


def _follow(value: Any, path: Path | list[str]) -> Any:
    for name in path:
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return _MISSING
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode_payload(value, what="key")


def _bounded(text: str) -> str:
    """The text, where any database keeps and any reader reads it; else what is readable of it, and a digest."""
    if len(text) <= LONGEST_KEY and text.isprintable():
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    readable = "".join(each for each in text if each.isprintable())
    return f"{readable[: LONGEST_KEY - _DIGITS - 1]}~{digest}"
