"""Deliveries on record: listed, filtered, shown without secrets, and replayed, over HTTP and from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from keystroke.store.sql import Sql
from support.api import assert_problem
from support.posting import Webhooks, webhooks_of

_DEFINITIONS = """
signed("signup").attach(greet)
signed("secret", payload=None).attach(anything)
signed("held").attach(greet)
signed("other", "shared", None, match={"header:x-event": "push"}).attach(anything)
signed("gone").attach(greet)
signed("listed", payload=None, match={"body:take": True}).attach(anything)
"""
ADA = {"name": "Ada"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hooks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhooks]:
    """The webhooks above; each test has endpoints of its own."""
    with webhooks_of(request, tmp_path_factory.mktemp("hooks"), _DEFINITIONS) as opened:
        yield opened


def _get(hooks: Webhooks, path: str) -> dict[str, Any]:
    answer = hooks.api.get(f"/deliveries{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_a_delivery_is_shown_whole_and_without_secrets(hooks: Webhooks) -> None:
    body = {"name": "Ada", "password": "hunter2", "deep": [{"token": "t"}]}
    made = hooks.post(
        "secret?api_key=abc&page=1", body, headers={"X-Gitlab-Token": "t", "User-Agent": "us/1"}
    )
    shown = _get(hooks, f"/{made.json['delivery_id']}")
    assert shown["body"] == {
        "encoding": "json",
        "value": {"name": "Ada", "password": "[redacted]", "deep": [{"token": "[redacted]"}]},
    }
    assert shown["query"] == {"api_key": "[redacted]", "page": "1"}
    assert shown["headers"]["x-gitlab-token"] == shown["headers"]["x-signature"] == "[redacted]"
    assert shown["headers"]["user-agent"] == "us/1"
    assert (shown["project"], shown["endpoint"], shown["trigger"], shown["method"], shown["size"]) == (
        "shop", "secret", "secret", "POST", len(json.dumps(body)),
    )  # fmt: skip
    assert (shown["run_ids"], shown["remote_addr"], shown["status"]) == (
        made.json["run_ids"],
        "127.0.0.1",
        202,
    )
    assert "hunter2" not in hooks.api.get("/deliveries").text
    assert_problem(hooks.api.get("/deliveries/dlv_nope"), 404, "delivery-not-found")


@pytest.mark.parametrize(
    ("body", "media_type", "shown"),
    [
        (b"\xff\x00", "application/octet-stream", {"encoding": "base64", "value": "/wA="}),
        (b"plain", "text/plain", {"encoding": "text", "value": "plain"}),
        (b"a=1&secret=x", "application/x-www-form-urlencoded", {"encoding": "form", "value": {"a": "1", "secret": "[redacted]"}}),
        (b"", "application/json", {"encoding": "text", "value": ""}),
    ],
)  # fmt: skip
def test_whatever_was_posted_can_be_looked_at(
    hooks: Webhooks, body: bytes, media_type: str, shown: dict[str, Any]
) -> None:
    hooks.post("signup", body, content_type=media_type)
    assert _get(hooks, f"/{hooks.last().id}")["body"] == shown


def test_the_list_is_filtered_and_paged(hooks: Webhooks) -> None:
    made = [hooks.post("listed", {"take": at % 2 == 0}).json["delivery_id"] for at in range(5)]
    hooks.post("listed", {"take": True}, signed=False)
    found = _get(hooks, "?endpoint=listed&limit=4")
    pages = found["data"] + _get(hooks, f"?endpoint=listed&limit=4&cursor={found['next_cursor']}")["data"]
    assert [each["id"] for each in pages][1:] == made[::-1]
    assert "body" not in pages[0]
    assert [each["outcome"] for each in pages] == [
        "rejected", "fired", "filtered", "fired", "filtered", "fired",
    ]  # fmt: skip
    of = {
        "outcome=filtered&outcome=rejected&trigger=listed": 3, "trigger=nobody": 0, "project=shop&endpoint=listed": 6,
        f"trigger={hooks.last().trigger_id}": 6, "endpoint=listed&until=2001-01-01T00:00:00Z": 0,
        "endpoint=listed&since=2001-01-01T00:00:00Z": 6,
    }  # fmt: skip
    assert {query: len(_get(hooks, f"?{query}")["data"]) for query in of} == of
    for query in ("outcome=nope", "since=yesterday", "x=1", "cursor=1", "limit=0"):
        assert_problem(hooks.api.get(f"/deliveries?{query}"), 422, "invalid-request")


def test_a_replay_is_a_new_delivery(hooks: Webhooks) -> None:
    hooks.change("update sources set disabled_at = 1 where slug = 'held'")
    held = hooks.post("held", ADA, headers={"Idempotency-Key": "k"}).json["delivery_id"]
    assert hooks.api.post(f"/deliveries/{held}/replay").json["outcome"] == "unrouted", (
        "it is still switched off"
    )
    hooks.change("update sources set disabled_at = null where slug = 'held'")
    answers = [hooks.api.post(f"/deliveries/{held}/replay") for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202], "it is no duplicate of itself"
    replayed = answers[1].json
    assert replayed == {
        "replay_of": held, "delivery_id": hooks.last().id, "outcome": "fired", "run_ids": list(hooks.last().run_ids),
    }  # fmt: skip
    assert (hooks.last().replay_of, hooks.last().dedupe_key) == (held, None)
    run = hooks.run(replayed["run_ids"][0])
    assert (run.input, run.trigger.type, run.actor.name) == (ADA, "webhook", "local owner")
    assert hooks.post("held", ADA, headers={"Idempotency-Key": "k"}).status_code == 202, (
        "nor does it take its key"
    )
    with hooks.database.read() as tx:
        rows = tx.rows(Sql("select actor_name, target from audit_log where action = 'delivery.replay'"))
    assert [(row.actor_name, row.target) for row in rows] == [("local owner", held)] * 3


def test_a_replay_sees_the_headers_that_were_kept(hooks: Webhooks) -> None:
    made = hooks.post("shared", {}, headers={"X-Event": "push"}).json["delivery_id"]
    assert hooks.api.post(f"/deliveries/{made}/replay").json["outcome"] == "fired"


def test_what_cannot_be_replayed(hooks: Webhooks) -> None:
    hooks.post("gone", ADA, signed=False)
    assert_problem(hooks.api.post(f"/deliveries/{hooks.last().id}/replay"), 409, "delivery-not-kept")
    made = hooks.post("gone", ADA).json["delivery_id"]
    hooks.change("update sources set retired_at = 1 where slug = 'gone'")
    assert_problem(hooks.api.post(f"/deliveries/{made}/replay"), 409, "delivery-not-kept")
    assert_problem(hooks.api.post("/deliveries/dlv_nope/replay"), 404, "delivery-not-found")
    body = {"filter": {"endpoint": ["gone"], "outcome": ["fired"]}}
    (failed,) = hooks.api.post("/deliveries/replay", json=body).json["data"]
    assert failed["problem"]["status"] == 409


def test_many_are_replayed_by_filter_the_oldest_first(hooks: Webhooks) -> None:
    made = [hooks.post("listed", {"take": False, "at": at}).json["delivery_id"] for at in range(3)]
    hooks.post("listed", {"take": False}, signed=False)
    since = _get(hooks, f"/{made[0]}")["received_at"]
    body = {"filter": {"trigger": ["listed"], "since": since}, "limit": 2}
    would = hooks.api.post("/deliveries/replay", json=body | {"dry_run": True}).json
    assert [each["replay_of"] for each in would["data"]] == made[:2]
    assert (would["dry_run"], would["has_more"]) == (True, True)
    count = len(hooks.deliveries())
    first = hooks.api.post("/deliveries/replay", json=body).json
    rest = hooks.api.post("/deliveries/replay", json=body | {"cursor": first["next_cursor"]}).json
    assert [each["replay_of"] for each in first["data"] + rest["data"]] == made, (
        "neither replays nor the refused"
    )
    assert {each["outcome"] for each in first["data"] + rest["data"]} == {"filtered"}
    assert (rest["has_more"], rest["next_cursor"], len(hooks.deliveries())) == (False, None, count + 3)
    for wrong in ({}, {"filter": {"x": 1}}, {"filter": {}, "limit": 1_001}, {"filter": {"outcome": ["x"]}}):
        assert_problem(hooks.api.post("/deliveries/replay", json=wrong), 422, "invalid-request")


def test_answers_are_as_described(hooks: Webhooks) -> None:
    document: Any = hooks.api.client.get("/openapi.json").json
    made = hooks.post("signup", ADA).json["delivery_id"]
    hooks.post("signup", {})
    body = {"filter": {"endpoint": ["signup"]}, "limit": 2}
    one, many = "/deliveries/{delivery_id}", "/deliveries/replay"
    for path, method, answer in (
        ("/deliveries", "get", hooks.api.get("/deliveries?endpoint=signup")),
        (one, "get", hooks.api.get(f"/deliveries/{made}")),
        (one, "get", hooks.api.get("/deliveries/dlv_nope")),
        (f"{one}/replay", "post", hooks.api.post(f"/deliveries/{made}/replay")),
        (many, "post", hooks.api.post(many, json=body)),
        (many, "post", hooks.api.post(many, json=body | {"dry_run": True})),
    ):
        described = document["paths"][f"/api/v1{path}"][method]["responses"][str(answer.status_code)]
        schema = described["content"][answer.mimetype]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json)
    viewer = hooks.api.key("viewer", organization="acme")
    assert_problem(hooks.api.post(f"/deliveries/{made}/replay", headers=viewer), 403, "role-too-low")
    assert hooks.api.get(f"/deliveries/{made}", headers=viewer).status_code == 200
    other = hooks.api.key("admin", organization="another")
    assert_problem(hooks.api.get(f"/deliveries/{made}", headers=other), 404)
    assert_problem(hooks.api.post(f"/deliveries/{made}/replay", headers=other), 404)
    assert hooks.api.get("/deliveries", headers=other).json["data"] == []
    assert_problem(hooks.api.get("/deliveries"), 401)
    assert hooks.post("signup", ADA).status_code == 202, "whoever posts needs no key"
    hooks.change("update api_keys set revoked_at = 1")
