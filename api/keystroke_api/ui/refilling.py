"""The form of an input filled with one that is on record, so that it can be edited; or the reason to edit it as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from keystroke.domain.secrets import REDACTED
from keystroke_api.ui.contexts import Field
from keystroke_api.ui.schema_fields import ROOT, entered_value, fields_of, fits_form

Schema = dict[str, Any]


def refilled(schema: Schema, shown: Any) -> dict[str, str] | None:
    """What stands in each field for an input as it is shown; None where the form cannot say all of it.

    Secrets are empty fields: `kept_secrets` names those that stay as they are when they are left so.
    """
    if not fits_form(schema) or not isinstance(shown, dict):
        return None
    fields = fields_of(schema)
    entered = {each.name: _text(each, value) for each, value in _values(fields, shown)}
    secrets = dict.fromkeys(kept_secrets(schema, shown), REDACTED)
    again, wrong = entered_value(schema, {**entered, **secrets})
    if wrong:
        return None
    defaults, _ = entered_value(schema, {each.name: each.value for each, _ in _values(fields, {})})
    return entered if _meant(defaults, again) == _meant(defaults, shown) else None


def kept_secrets(schema: Schema, shown: Any) -> list[str]:
    """The names of the fields whose secret is on record, and shown redacted."""
    if not fits_form(schema) or not isinstance(shown, dict):
        return []
    values = _values(fields_of(schema), shown)
    return [each.name for each, value in values if each.kind == "secret" and value == REDACTED]


class _Missing:
    """Stands for a value that is not there."""


def _values(fields: Sequence[Field], value: Any) -> Iterator[tuple[Field, Any]]:
    """Each field that can be entered with its value; `_Missing` where there is none."""
    holder = value if isinstance(value, dict) else {}
    for each in fields:
        inner = holder.get(each.name.removeprefix(f"{ROOT}.").rpartition(".")[2], _Missing)
        if each.kind == "group":
            yield from _values(each.fields, inner)
        else:
            yield each, inner


def _text(field: Field, value: Any) -> str:
    if value is _Missing:
        return field.value
    if field.kind == "secret" and value == REDACTED:
        return ""
    if field.kind == "flag":
        return "true" if value is True else ""
    if field.kind == "choice":
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return ""
    if field.kind == "json":
        return json.dumps(value, ensure_ascii=False, indent=2)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _meant(defaults: Any, value: Any) -> Any:
    """The value with defaults where it says nothing, and without what is null either way."""
    if not isinstance(value, dict):
        return value
    known = defaults if isinstance(defaults, dict) else {}
    whole = {**known, **value}
    return {key: _meant(known.get(key), item) for key, item in whole.items() if item is not None}
