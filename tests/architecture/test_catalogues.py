"""The three catalogues (crash points, events, errors) list what there is, and what they list is used."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from string import Formatter

import pytest

from keystroke import errors
from keystroke.cli import refusals as cli_refusals
from keystroke.crashpoints import CRASH_POINTS
from keystroke.errors import KeystrokeError
from keystroke.local import refusals as local_refusals
from keystroke.telemetry import events
from keystroke.telemetry.event import RESERVED, Event
from support.sources import calls, sources

_EVENTS = [
    kind
    for kind in vars(events).values()
    if inspect.isclass(kind) and issubclass(kind, Event) and kind is not Event
]
_ERRORS = list(
    dict.fromkeys(
        kind
        for module in (errors, cli_refusals, local_refusals)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, KeystrokeError)
    )
)
_called = [(name, source, call) for source in sources() for name, call in calls(source)]


def test_every_crash_point_is_passed_and_every_call_is_listed() -> None:
    passed = {ast.literal_eval(call.args[0]) for name, _, call in _called if name == "crash_point"}
    assert passed == CRASH_POINTS


@pytest.mark.parametrize("kind", _EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_is_a_sentence_about_its_own_fields(kind: type[Event]) -> None:
    sentence, fields = kind.__doc__ or "", {field.name for field in dataclasses.fields(kind)}
    assert sentence.endswith("."), "a sentence ends"
    assert "\n" not in sentence, "a sentence is one line"
    assert _placeholders(sentence) <= fields
    assert not fields & RESERVED, "these keys of a log line have a meaning already"
    assert kind.level in ("debug", "info", "warning", "error")


def test_every_event_is_announced_somewhere() -> None:
    created = {name for name, _, _ in _called}
    assert [kind.__name__ for kind in _EVENTS if kind.__name__ not in created] == []


@pytest.mark.parametrize("kind", _ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_is_a_message(kind: type[KeystrokeError]) -> None:
    assert kind.__doc__
    assert kind.__doc__ != kind.__mro__[1].__doc__


def test_every_error_is_raised_with_the_fields_of_its_message() -> None:
    missing = [
        f"{source.at(call)}: {name} without {lacking}"
        for kind in _ERRORS
        if "__init__" not in vars(kind)
        for name, source, call in _called
        if name == kind.__name__ and all(keyword.arg for keyword in call.keywords)
        if (lacking := _placeholders(kind.__doc__ or "") - {keyword.arg for keyword in call.keywords})
    ]
    assert missing == []


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in _ERRORS]
    assert len(codes) == len(set(codes))


def _placeholders(text: str) -> set[str]:
    return {name.partition(".")[0] for _, name, _, _ in Formatter().parse(text) if name}
