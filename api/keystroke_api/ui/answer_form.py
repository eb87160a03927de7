"""The answer to a hook as a form: made from the hook's schema, whatever that is, and read back as JSON.

An answer that is no object becomes the one field `answer` of a form. A truth value is asked for as yes or no: a box that
nobody ticked would say no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from keystroke.errors import InvalidInput
from keystroke_api.ui.contexts import Choice, Field
from keystroke_api.ui.schema_fields import ROOT, entered_value, fields_of, fits_form

Schema = dict[str, Any]
_ONLY: Final = "answer"
_YES_OR_NO: Final = {"true": "Yes", "false": "No"}


class AnswerForm:
    """The form of one schema."""

    def __init__(self, schema: Schema) -> None:
        """Any JSON Schema."""
        self._is_object = fits_form(schema)
        whole = schema if self._is_object else _wrapped(schema)
        self._schema: Schema = _with_choices(whole)

    def fields(
        self, entered: Mapping[str, str] | None = None, errors: Mapping[str, list[str]] | None = None
    ) -> list[Field]:
        """The fields: with the schema's defaults, or with what was entered and what is wrong with it, by name."""
        return [_in_words(each) for each in fields_of(self._schema, entered, errors)]

    def prefilled(self, given: Mapping[str, str]) -> dict[str, str]:
        """What a link carries, by the answer's own names (`approved=true`, `address.city=Oslo`), as if it had been entered.

        A choice may be given as it reads on the page. The defaults stand where nothing was given; other names say nothing.
        """
        entered = {}
        for field in _leaves(self.fields()):
            text = given.get(field.name.removeprefix(f"{ROOT}."), field.value)
            options = [each.value for each in field.choices if text in (each.value, each.label)]
            entered[field.name] = options[0] if options else text
        return entered

    def value(self, entered: Mapping[str, str]) -> tuple[Any, dict[str, list[str]]]:
        """The answer that was entered, and by name what is no JSON or is missing."""
        value, errors = entered_value(self._schema, entered)
        return (value if self._is_object else value.get(_ONLY)), errors

    def explained(self, refused: InvalidInput) -> tuple[dict[str, list[str]], list[str]]:
        """What is wrong with an answer: by the name of its field, and what belongs to no field."""
        names = {field.name for field in _leaves(self.fields())}
        by_field: dict[str, list[str]] = {}
        whole = []
        for each in refused.errors:
            path = each.path.removeprefix("$")
            name = ROOT + path if self._is_object else f"{ROOT}.{_ONLY}"
            if name in names:
                by_field.setdefault(name, []).append(each.message)
            else:
                whole.append(f"{each.path}: {each.message}")
        return by_field, whole


def _wrapped(schema: Schema) -> Schema:
    inner = {key: part for key, part in schema.items() if key != "$defs"}
    inner.setdefault("title", "Answer")
    return {
        "type": "object", "properties": {_ONLY: inner}, "required": [_ONLY], "$defs": schema.get("$defs", {}),
    }  # fmt: skip


def _with_choices(schema: Any) -> Any:
    """The schema with `true` and `false` to choose from wherever a truth value is asked for."""
    if isinstance(schema, list):
        return [_with_choices(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "boolean" and not {"enum", "const"} & schema.keys():
        return {**schema, "enum": [True, False]}
    return {key: _with_choices(part) for key, part in schema.items()}


def _in_words(field: Field) -> Field:
    """The field with Yes and No where it offers nothing else."""
    choices = field.choices
    if choices and {each.value for each in choices} <= _YES_OR_NO.keys():
        choices = [Choice(each.value, _YES_OR_NO[each.value], each.chosen) for each in choices]
    return replace(field, choices=choices, fields=[_in_words(inner) for inner in field.fields])


def _leaves(fields: Iterable[Field]) -> list[Field]:
    return [leaf for each in fields for leaf in (_leaves(each.fields) if each.kind == "group" else [each])]
