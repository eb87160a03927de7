"""Secrets in an input: encrypted before they reach the database, wherever the schema declares them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keystroke.domain.presentation import run_json
from keystroke.domain.secrets import is_sealed, open_sealed
from keystroke.errors import InvalidInput
from keystroke.operations.start_run import StartRequest, start_run
from keystroke.store.sql import Sql
from support.starts import GREET, Stage, publish

_SECRET = {"type": "string", "format": "password", "writeOnly": True}
_SCHEMA: dict[str, Any] = {
    "$defs": {"Login": {"type": "object", "properties": {"user": {"type": "string"}, "pin": _SECRET}}},
    "type": "object",
    "properties": {
        "login": {"$ref": "#/$defs/Login"},
        "optional": {"anyOf": [_SECRET, {"type": "null"}]},
        "many": {"type": "array", "items": {"allOf": [_SECRET]}},
        "named": {"type": "object", "additionalProperties": _SECRET},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, _SECRET]},
    },
}
_INPUT = {
    "login": {"user": "ada", "pin": "hush1"},
    "optional": "hush2",
    "many": ["hush3", "hush4"],
    "named": {"x": "hush5"},
    "pair": ["open", "hush6"],
}


@pytest.fixture
def guarded(stage: Stage) -> Stage:
    stage.project = publish(stage.database, replace(GREET, slug="login", input_schema=_SCHEMA), digest="two")
    return stage


def test_no_secret_reaches_the_database_and_each_is_read_again(guarded: Stage) -> None:
    started = guarded.start("login", _INPUT)
    with guarded.database.read() as tx:
        bodies = [row.body for row in tx.rows(Sql("select body from run_payloads"))]
    assert bodies
    assert not any("hush" in body for body in bodies)
    recorded = guarded.run(started.run_id).input
    assert is_sealed(recorded["login"]["pin"])
    assert open_sealed(recorded, guarded.box.decrypt) == _INPUT
    shown = run_json(guarded.run(started.run_id), frozenset())["input"]
    assert shown["login"] == {"user": "ada", "pin": "[redacted]"}
    assert shown["pair"] == ["open", "[redacted]"]


def test_equal_starts_are_equal_although_encryption_differs(guarded: Stage) -> None:
    first, again = (guarded.start("login", _INPUT, idempotency_key="k") for _ in range(2))
    assert first.run_id == again.run_id


def test_without_a_key_a_secret_is_refused(guarded: Stage) -> None:
    from keystroke.domain.actor import LOCAL_OWNER, Trigger

    request = StartRequest("login", _INPUT, Trigger("api", "API"), LOCAL_OWNER)
    with pytest.raises(InvalidInput, match="KEYSTROKE_SECRET_KEY"):
        start_run(guarded.database, guarded.project, request, guarded.settings, None)


def test_the_place_holder_is_reserved(guarded: Stage) -> None:
    with pytest.raises(InvalidInput, match="reserved"):
        guarded.start("login", {"login": {"user": "x", "pin": {"$sealed": "token"}}})
