"""Keys of limits: a template over a run's input and tags, rendered when the run is admitted.

A key is `<slug>`, or `<slug>/<rendered template>`: limits are a workflow's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, Final

from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.payload import encode_payload
from keystroke.domain.secrets import redact

#: Characters of a rendered template; what is longer is cut, and told apart by a digest of the whole.
LONGEST_KEY: Final = 200
_DIGITS: Final = 16
_NO_KEYS: Final[frozenset[str]] = frozenset()
_MISSING: Final = object()

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The keys of a run under the limits of its workflow, None where there is no such limit, and these as published."""

    concurrency_key: str | None = None
    rate_key: str | None = None
    concurrency: Mapping[str, Any] | None = None
    rate_limit: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to wait for."""
        return self.concurrency_key is not None or self.rate_key is not None


NO_LIMITS: Final = RunLimits()


def limits_of(workflow: WorkflowManifest, read: Callable[[], Any], tags: Mapping[str, str]) -> RunLimits:
    """What a run with these tags is limited by, from its admission on.

    `read` gives its input as recorded, secrets sealed; it is asked only where a key needs the input.
    """
    concurrency, rate = workflow.concurrency, workflow.rate_limit
    templates = [limit["key"] for limit in (concurrency, rate) if limit is not None]
    value = read() if any(templates) else None

    def key(limit: Mapping[str, Any] | None) -> str | None:
        if limit is None:
            return None
        return render_key(workflow.slug, limit["key"], value, workflow.input_schema, tags)

    return RunLimits(key(concurrency), key(rate), concurrency, rate)


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
            found = value_at(seen[root], schema if root == "input" else {}, tuple(path))
            parts.append(_text("" if found is _MISSING else found))
    return f"{slug}/{_bounded(''.join(parts))}"


def path_of(field: str) -> Path:
    """`input.customers[0].id` as `("input", "customers", "0", "id")`."""
    return tuple(part for part in field.replace("[", ".").replace("]", "").split(".") if part)


def paths_of(template: str | None) -> list[Path]:
    """What a template names."""
    return [path_of(field) for _, field, _, _ in Formatter().parse(template or "") if field]


def noun_of(template: str | None) -> str:
    """What a template calls its one field: `customer` of `{input.customer}`; empty where it is made of several parts."""
    parts = list(Formatter().parse(template or ""))
    if len(parts) != 1 or parts[0][0] or not parts[0][1]:
        return ""
    path = path_of(parts[0][1])
    return path[-1].replace("_", " ") if len(path) > 1 and not path[-1].isdigit() else ""


def value_at(value: Any, schema: Mapping[str, Any], path: Path) -> Any:
    """What lies at the path of an input: its own, or the published default of what it does not have."""
    level: list[Any] = [schema]
    for name in path:
        level = _below(schema, level, name)
        found = _follow(value, (name,))
        if found is _MISSING:
            defaults = (part["default"] for part in _all_parts(schema, level) if "default" in part)
            found = next(defaults, _MISSING)
        if found is _MISSING:
            return _MISSING
        value = found
    return value


def names_secret(schema: Mapping[str, Any], path: Path) -> bool:
    """Whether the path leads to a secret of the input."""
    level: list[Any] = [schema]
    for name in path:
        level = _below(schema, level, name)
    return any(part.get("writeOnly") for part in _all_parts(schema, level))


def _below(root: Mapping[str, Any], level: list[Any], name: str) -> list[Any]:
    """The schemas of what has this name, or number, in what these schemas describe."""
    below = []
    for part in _all_parts(root, level):
        properties = part.get("properties", {})
        below += [properties[name]] if name in properties else [part.get("additionalProperties")]
        below += [part.get("items")] if name.isdigit() else []
    return below


def _all_parts(root: Mapping[str, Any], level: list[Any]) -> Iterator[Mapping[str, Any]]:
    return (part for each in level for part in parts_of_schema(root, each))


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


def _follow(value: Any, path: Path) -> Any:
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
