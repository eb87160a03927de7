"""The state of polls over HTTP: shown with its version, edited by its schema, never under somebody's hands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from werkzeug.test import TestResponse

from keystroke.store.sql import Sql
from support.api import assert_problem
from support.triggers import CURSOR, INBOX, Triggers, fits

PATH = "/api/v1/triggers/inbox/state"
SECRET = {
    **CURSOR,
    "properties": {**CURSOR["properties"], "key": {"type": "string", "writeOnly": True, "minLength": 3}},
}
_BODY = Sql("select body from poll_states")


def put(triggers: Triggers, state: Any, **options: Any) -> TestResponse:
    headers = options.pop("headers", {})
    return triggers.api.client.put(PATH, json={"state": state, **options}, headers=headers)


def test_a_state_is_read_and_edited_by_its_version(triggers: Triggers) -> None:
    api = triggers.api
    shown = fits(api, "/triggers/{trigger}/state", "get", api.get("/triggers/inbox/state"))
    assert (shown["state"], shown["version"], shown["updated_at"], shown["schema"]) == (
        None,
        "none",
        None,
        CURSOR,
    )
    first = put(triggers, {"after": 1}, version="none")
    written = fits(api, "/triggers/{trigger}/state", "put", first)
    assert (written["state"], written["updated_by"]) == ({"after": 1}, "local owner")
    assert first.headers["ETag"] == f'"{written["version"]}"'
    assert_problem(put(triggers, {"after": 2}, version="none"), 412, "state-changed")
    second = put(triggers, {"after": 2}, headers={"If-Match": first.headers["ETag"]})
    assert second.status_code == 200
    assert_problem(
        put(triggers, {"after": 3}, headers={"If-Match": first.headers["ETag"]}), 412, "state-changed"
    )
    assert put(triggers, {"after": 4}).status_code == 200, "whoever names no version wins"
    emptied = put(triggers, None).json
    assert (emptied["state"], emptied["version"]) == (None, "none")
    assert triggers.audited() == [("trigger.set_state", "demo/inbox")] * 4


def test_a_state_has_to_fit(triggers: Triggers) -> None:
    refused = assert_problem(put(triggers, {"after": "x"}), 422, "invalid-state")
    assert refused["errors"][0]["path"] == "$.after"
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    for wrong in ({}, [], 1, {"after": 1, "more": deep}):
        assert_problem(put(triggers, wrong), 422)
    assert_problem(triggers.api.client.put(PATH, json={}), 422, "invalid-request")
    assert_problem(put(triggers, {"after": 1, "token": "x" * 2_000_000}), 413)
    for slug in ("hourly", "signup"):
        other = f"/api/v1/triggers/{slug}/state"
        assert_problem(triggers.api.client.get(other), 422, "wrong-trigger-kind")
        assert_problem(triggers.api.client.put(other, json={"state": {}}), 422, "wrong-trigger-kind")


def test_what_is_shown_redacted_keeps_its_value(triggers: Triggers) -> None:
    api = triggers.api
    triggers.publish(
        replace(INBOX, options={**INBOX.options, "state_schema": SECRET}), digest="with a secret"
    )
    assert put(triggers, {"after": 1, "token": "abc", "key": "secret"}).status_code == 200
    shown = api.get("/triggers/inbox/state").json["state"]
    assert shown == {"after": 1, "token": "[redacted]", "key": "[redacted]"}
    assert put(triggers, {**shown, "after": 2}).status_code == 200
    with triggers.stage.database.read() as tx:
        body = tx.value(_BODY)
    assert '"token":"abc"' in body
    assert "secret" not in body.replace("$secret", ""), "it is encrypted"
    told = assert_problem(put(triggers, {"after": "x", "key": "[redacted]"}), 422, "invalid-state")
    assert "secret" not in told["detail"]


def test_a_tick_under_way_is_told_of_and_keeps_nobody_from_editing(triggers: Triggers) -> None:
    tick = triggers.tick("inbox", 0, None)
    assert triggers.api.get("/triggers/inbox/state").json["under_way"] == tick
    assert put(triggers, {"after": 1}).status_code == 200


def test_who_may_edit(triggers: Triggers) -> None:
    api = triggers.api
    viewer, runner, foreign = api.key("viewer"), api.key("runner"), api.key(organization="elsewhere")
    assert api.get("/triggers/inbox/state", headers=viewer).status_code == 200
    assert_problem(put(triggers, {"after": 1}, headers=runner), 403, "role-too-low")
    source = triggers.source("inbox")
    assert_problem(api.get(f"/triggers/{source.id}/state", headers=foreign), 404, "trigger-not-found")
    triggers.publish(digest="nothing")
    assert_problem(put(triggers, {"after": 1}, headers=api.key()), 409, "trigger-retired")
