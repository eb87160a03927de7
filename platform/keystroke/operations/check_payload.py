"""Read what was posted by a source's published schema: is it its event, is it valid, and what is its payload."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from keystroke.domain.form import read_form
from keystroke.domain.payload import Json
from keystroke.domain.post import Post
from keystroke.domain.strict_json import parse_strictly
from keystroke.errors import NotJson, PathError
from keystroke.operations.check_input import compiled, explained, first_errors
from keystroke.store.sources import Source

_compiled: Final[dict[tuple[str, str], Draft202012Validator]] = {}
_MOST_COMPILED: Final = 500
#: Keywords of JSON Schema by which a `Literal` is published.
_LITERAL: Final = ("const", "enum")
_CHOICES: Final = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source makes of a body.

    With `other_event` a `Literal` field has another value: the body is meant for somebody else. Else `errors` says what is
    wrong with it; where nothing is, `payload` is what it brings. `is_json` is False for what cannot be read at all.
    """

    payload: Json = None
    errors: tuple[PathError, ...] = ()
    other_event: bool = False
    is_json: bool = True


@dataclass
class Body:
    """The body of a post, parsed once for all sources that read it."""

    post: Post
    _parsed: list[Json] = field(default_factory=list)

    def read(self, schema: dict[str, Any] | None) -> Json:
        """The JSON value; of a form by the schema. An empty body is null. ValueError, NotJson."""
        if self.post.is_form:
            return read_form(self.post.body, schema)
        if not self._parsed:
            self._parsed.append(parse_strictly(self.post.body) if self.post.body else None)
        return self._parsed[0]

    def read_or_null(self) -> Json:
        """The value, null where the body is none."""
        try:
            return self.read(None)
        except (ValueError, NotJson):
            return None


def read_payload(source: Source, body: Body, hidden: Collection[str]) -> Reading:
    """Read a body for one source. Values under the keys in `hidden` (lower case) are not repeated in errors."""
    schema = source.manifest.payload_schema
    try:
        payload = body.read(schema)
    except (ValueError, NotJson) as error:
        return Reading(errors=(PathError("$", f"the body cannot be read: {error}"),), is_json=False)
    if schema is None:
        return Reading(payload)
    try:
        errors = first_errors(_validator(source, schema), payload)
    except re.error as error:
        # Pydantic takes patterns of another dialect, such as \p{L}.
        message = f"the schema's pattern {error.pattern!r} cannot be checked here: {error}"
        return Reading(payload, (PathError("$", message),))
    if any(_is_literal(each) for each in errors):
        return Reading(payload, other_event=True)
    secret = list(_under(payload, hidden)) if errors else []
    return Reading(payload, tuple(explained(errors, secret)))


def _validator(source: Source, schema: dict[str, Any]) -> Draft202012Validator:
    """Compiled once per deployment and source: a published schema never changes."""
    key = (source.deployment_id, source.id)
    if key not in _compiled:
        if len(_compiled) >= _MOST_COMPILED:
            _compiled.clear()
        _compiled[key] = compiled(schema)
    return _compiled[key]


def _is_literal(error: ValidationError) -> bool:
    """Whether a `Literal` is what did not fit: of a choice between shapes, in each of them that is not null.

    An `Enum` is published behind a reference. It names no event: a value that it lacks is wrong.
    """
    if error.validator in _LITERAL:
        path = list(error.schema_path)
        return len(path) < 2 or path[-2] != "$ref"
    if error.validator not in _CHOICES:
        return False
    branches: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        branches.setdefault(each.schema_path[0], []).append(each)
    shapes = [each for each in branches.values() if not _is_null(each)]
    return bool(shapes) and all(any(map(_is_literal, each)) for each in shapes)


def _is_null(errors: Iterable[ValidationError]) -> bool:
    return all(each.validator == "type" and each.validator_value == "null" for each in errors)


def _under(value: Json, keys: Collection[str]) -> Iterator[Json]:
    """What lies under keys that are never displayed."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from [item] if key.lower() in keys else _under(item, keys)
    elif isinstance(value, list):
        for item in value:
            yield from _under(item, keys)
