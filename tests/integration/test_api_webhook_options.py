"""The options of a webhook: duplicates, forms, match, handshakes, answers of its own, verifiers; on both databases."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from keystroke.store import deliveries
from support.api import assert_problem
from support.blocking import blocked
from support.posting import SECRET, Webhooks, now, signature, webhooks_of

_DEFINITIONS = """
signed("once").attach(greet)
signed("named", dedupe="body:event.id", payload=None).attach(anything)
signed("by-header", dedupe="header:X-Event", payload=None).attach(anything)
signed("picky", payload=Lead).attach(greet)
webhook("hub", "hub", None, github("env:SENDER"), match={
    "header:X-GitHub-Event": ["push", "ping"], "body:repository.private": [False], "query:team": "a"}).attach(anything)
signed("push", "events", None, match={"header:x-event": "push"}).attach(anything)
signed("any", "events", None, match={"header:x-event": ["push", "pull"]}).attach(anything)

class Form(BaseModel):
    name: str
    age: int
    score: float | None = None
    news: bool = False
    tags: list[str] = []
    level: Literal[1, 2] = 1

signed("form", payload=Form).attach(anything)
signed("quiet", respond=Respond(200, "ok", "text/plain")).attach(greet)
signed("empty", respond=Respond(204)).attach(greet)
webhook("slack", "slack", None, slack("env:SENDER"), challenge="slack").attach(anything)
webhook("meta", "meta", None, github("env:SENDER"), challenge="meta").attach(anything)
webhook("meta-own", "meta-own", None, github("env:SENDER"), challenge="meta:env:META").attach(anything)
webhook("graph", "graph", None, open_endpoint(), challenge="microsoft").attach(anything)
webhook("dropbox", "dropbox", None, hmac_sha256("env:SENDER", header="X-Dropbox-Signature"), challenge="dropbox").attach(anything)
webhook("bearer", "bearer", Lead, token("env:SENDER")).attach(greet)
webhook("query", "query", Lead, token("env:SENDER", query="key")).attach(greet)
webhook("standard", "standard", Lead, standard_webhooks("env:STANDARD")).attach(greet)
webhook("stripe", "stripe", None, stripe("env:SENDER")).attach(anything)
webhook("open", "open", Lead, open_endpoint()).attach(greet)
webhook("one", "customers", Lead, token("env:SENDER", header="X-Customer")).attach(greet)
webhook("two", "customers", Lead, token("env:META", header="X-Customer")).attach(greet)
"""
ADA = {"name": "Ada"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hooks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhooks]:
    """The webhooks above; each test has endpoints of its own."""
    with (
        webhooks_of(request, tmp_path_factory.mktemp("hooks"), _DEFINITIONS) as opened,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("META", "another-token")
        environment.setenv("STANDARD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        yield opened


# --- Duplicates -----------------------------------------------------------------------------------------------------


def test_what_comes_again_is_pointed_to_the_first(hooks: Webhooks) -> None:
    first = hooks.post("once", ADA, headers={"Idempotency-Key": "k1"})
    again = hooks.post("once", {"name": "Bob"}, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json == first.json | {"duplicate": True}
    last = hooks.last()
    assert (last.outcome, last.duplicate_of, last.run_ids) == (
        "duplicate", first.json["delivery_id"], (first.json["run_id"],),
    )  # fmt: skip
    hooks.change("update delivery_keys set expires_at = 0 where key = 'k1'")
    assert hooks.post("once", ADA, headers={"Idempotency-Key": "k1"}).status_code == 202, (
        "after a day it is free"
    )


def test_what_came_to_nothing_may_be_sent_again_under_its_id(hooks: Webhooks) -> None:
    headers = {"Idempotency-Key": "k2"}
    assert_problem(hooks.post("picky", {"name": 1}, headers=headers), 422)
    assert_problem(hooks.post("picky", ADA, signed=False, headers=headers), 401)
    assert hooks.post("picky", ADA, headers=headers).status_code == 202
    assert hooks.post("picky", {"name": 1}, headers=headers).json["duplicate"] is True


def test_what_was_skipped_counts(hooks: Webhooks) -> None:
    headers = {"Idempotency-Key": "k3", "X-Event": "other"}
    first, again = (hooks.post("events", {}, headers=headers) for _ in range(2))
    assert again.json == {
        "ok": True,
        "skipped": True,
        "duplicate": True,
        "delivery_id": first.json["delivery_id"],
    }


@pytest.mark.parametrize(
    ("endpoint", "key", "other"),
    [
        ("named", {"body": {"event": {"id": 7}}}, {"body": {"event": {"id": 8}}}),
        ("by-header", {"headers": {"X-Event": "a"}}, {"headers": {"X-Event": "b"}}),
        ("by-header", {"headers": {"X-Event": "\xe4" * 300}}, {"headers": {"X-Event": "\xe4" * 301}}),
    ],
)
def test_a_source_may_name_the_key(
    hooks: Webhooks, endpoint: str, key: dict[str, Any], other: dict[str, Any]
) -> None:
    answers = [hooks.post(endpoint, **{"body": {}, **each}) for each in (key, key, other)]
    assert [each.json.get("duplicate", False) for each in answers] == [False, True, False]


def test_without_a_key_nothing_is_a_duplicate(hooks: Webhooks) -> None:
    assert [hooks.post("named", {}).status_code for _ in range(2)] == [202, 202]


@pytest.mark.parametrize("commits", [True, False])
def test_the_second_of_two_waits_for_the_first(hooks: Webhooks, commits: bool) -> None:
    """The first transaction has the key and is still open when the second delivery comes."""
    key = f"k4-{commits}"
    with ThreadPoolExecutor(1) as second:
        try:
            with hooks.database.transaction() as tx:
                taken = deliveries.take_key(tx, hooks.project.id, "once", key, "dlv_first", 60_000_000)
                assert taken is None
                again = blocked(
                    hooks.database, second, lambda: hooks.post("once", ADA, headers={"Idempotency-Key": key})
                )
                if not commits:
                    raise InterruptedError
        except InterruptedError:
            assert again.result().status_code == 202, "what was rolled back counts as nothing"
        else:
            assert again.result().json == {
                "ok": True, "skipped": True, "duplicate": True, "delivery_id": "dlv_first",
            }  # fmt: skip


def test_of_many_at_once_one_starts_a_run(hooks: Webhooks) -> None:
    with ThreadPoolExecutor(8) as executor:
        answers = list(
            executor.map(lambda _: hooks.post("once", ADA, headers={"Idempotency-Key": "k5"}).json, range(24))
        )
    assert len({each["run_id"] for each in answers}) == 1
    assert sum("duplicate" not in each for each in answers) == 1


# --- Match ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "private", "team", "outcome"),
    [
        ({"X-GitHub-Event": "push"}, False, "a", "fired"),
        ({"X-GitHub-Event": "issues"}, False, "a", "filtered"),
        ({}, False, "a", "filtered"),
        ({"X-GitHub-Event": "ping"}, True, "a", "filtered"),
        ({"X-GitHub-Event": "ping"}, 0, "a", "filtered"),
        ({"X-GitHub-Event": "ping"}, False, "b", "filtered"),
    ],
)
def test_match_selects_by_headers_query_and_body(
    hooks: Webhooks, headers: dict[str, str], private: object, team: str, outcome: str
) -> None:
    body = json.dumps({"repository": {"private": private}}).encode()
    signed = {**headers, "X-Hub-Signature-256": f"sha256={signature(body)}"}
    hooks.post(f"hub?team={team}", body, headers=signed, signed=False)
    assert hooks.last().outcome == outcome


def test_of_several_all_that_match_are_started(hooks: Webhooks) -> None:
    assert len(hooks.post("events", {}, headers={"X-Event": "push"}).json["run_ids"]) == 2
    assert hooks.last().triggers == ("any", "push")
    assert len(hooks.post("events", {}, headers={"X-Event": "pull"}).json["run_ids"]) == 1


# --- Bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        (
            "name=Ada+L&age=36&score=1.5&news=on&tags=a&tags=b&level=2",
            {"name": "Ada L", "age": 36, "score": 1.5, "news": True, "tags": ["a", "b"], "level": 2},
        ),
        ("name=12&age=1&score=&tags=a", {"name": "12", "age": 1, "score": None, "tags": ["a"]}),
        ("payload=%7B%22name%22%3A+%22Ada%22%2C+%22age%22%3A+1%7D", {"name": "Ada", "age": 1}),
    ],
)
def test_forms_are_payloads(hooks: Webhooks, form: str, payload: dict[str, Any]) -> None:
    answer = hooks.post("form", form.encode(), content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 202, answer.text
    assert hooks.run(answer.json["run_id"]).trigger.payload == payload


@pytest.mark.parametrize(
    "form", ["name=Ada&age=x", "name=Ada&age=1e400", "payload=nothing", "%FF=1", "a=1&" * 2_000]
)
def test_a_form_that_does_not_fit(hooks: Webhooks, form: str) -> None:
    answer = hooks.post("form", form.encode(), content_type="application/x-www-form-urlencoded")
    assert_problem(answer, 422, "invalid-delivery")


@pytest.mark.parametrize("media_type", ["application/cloudevents+json; charset=utf-8", "text/plain", None])
def test_anything_else_is_read_as_json(hooks: Webhooks, media_type: str | None) -> None:
    assert hooks.post("once", ADA, content_type=media_type).status_code == 202


# --- Answers of its own ---------------------------------------------------------------------------------------------


def test_a_source_may_answer_in_its_own_words(hooks: Webhooks) -> None:
    for _ in range(2):
        answer = hooks.post("quiet", ADA, headers={"Idempotency-Key": "k6"})
        assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok", "text/plain")
    assert (hooks.post("empty", ADA).status_code, hooks.last().outcome) == (204, "fired")
    assert_problem(hooks.post("quiet", {}), 422)
    assert_problem(hooks.post("quiet", ADA, signed=False), 401)


# --- Handshakes -----------------------------------------------------------------------------------------------------


def _slack(hooks: Webhooks, body: dict[str, Any], secret: str = SECRET) -> Any:
    data, at = json.dumps(body).encode(), now()
    mac = hmac.new(secret.encode(), f"v0:{at}:".encode() + data, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": f"v0={mac}"}
    return hooks.post("slack", data, headers=headers, signed=False)


def test_the_handshake_of_slack(hooks: Webhooks) -> None:
    count, asked = (
        len(hooks.deliveries()),
        {"type": "url_verification", "challenge": "<b>abc</b>", "token": "t"},
    )
    answer = _slack(hooks, asked)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "<b>abc</b>", "text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(hooks.deliveries()) == count, "it is no delivery"
    assert_problem(_slack(hooks, asked, "another"), 401)
    assert_problem(_slack(hooks, {"type": "url_verification", "challenge": 1}), 403, "challenge-refused")
    assert _slack(hooks, {"type": "event_callback", "event_id": "Ev1"}).status_code == 202
    assert _slack(hooks, {"type": "event_callback", "event_id": "Ev1"}).json["duplicate"] is True


@pytest.mark.parametrize(("endpoint", "token"), [("meta", SECRET), ("meta-own", "another-token")])
def test_the_handshake_of_meta(hooks: Webhooks, endpoint: str, token: str) -> None:
    count, query = len(hooks.deliveries()), "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    answer = hooks.api.client.get(f"/triggers/{endpoint}?{query}{token}")
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert_problem(hooks.api.client.get(f"/triggers/{endpoint}?{query}guessed"), 403, "challenge-refused")
    other = hooks.api.client.get(f"/triggers/shop/{endpoint}")
    assert (other.status_code, other.headers["Allow"]) == (405, "GET, POST")
    assert len(hooks.deliveries()) == count


def test_the_handshake_of_microsoft(hooks: Webhooks) -> None:
    count = len(hooks.deliveries())
    answer = hooks.api.client.post(
        "/triggers/graph?validationToken=a%20%3Cb%3E%2Bc", content_type="text/plain"
    )
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "a <b>+c", "text/plain")
    assert len(hooks.deliveries()) == count
    assert hooks.post("graph", {"value": []}).status_code == 202


def test_the_handshake_of_dropbox(hooks: Webhooks) -> None:
    answer = hooks.api.client.get("/triggers/shop/dropbox?challenge=abc")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "abc", "text/plain")
    assert hooks.api.client.get("/triggers/dropbox").status_code == 405
    assert hooks.api.client.head("/triggers/dropbox?challenge=abc").status_code == 405


# --- Verifiers ------------------------------------------------------------------------------------------------------


def test_tokens_are_checked_and_kept_nowhere(hooks: Webhooks) -> None:
    for path, headers in ((f"query?key={SECRET}&a=b", {}), ("bearer", {"Authorization": f"Bearer {SECRET}"})):
        assert hooks.post(path, ADA, headers=headers, signed=False).status_code == 202
        assert SECRET not in str(hooks.last())
        assert_problem(hooks.post(path.replace(SECRET, "x"), ADA, signed=False), 401)
    assert hooks.post("open", ADA, signed=False).status_code == 202


def test_standard_webhooks_and_stripe(hooks: Webhooks) -> None:
    from standardwebhooks import Webhook

    body, at = json.dumps(ADA).encode(), now()
    signer = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    for sent, status in ((at, 202), (at, 200), (at - 301, 401), (at + 320, 401)):
        from datetime import UTC, datetime

        mac = signer.sign("msg_1", datetime.fromtimestamp(sent, UTC), body.decode())
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(sent),
            "webhook-signature": f"v1,bad {mac}",
        }
        assert hooks.post("standard", body, headers=headers, signed=False).status_code == status
    event = json.dumps({"id": "evt_1", "type": "charge"}).encode()
    mac = hmac.new(SECRET.encode(), f"{at}.".encode() + event, hashlib.sha256).hexdigest()
    for status in (202, 200):
        headers = {"Stripe-Signature": f"t={at},v1={mac}"}
        assert hooks.post("stripe", event, headers=headers, signed=False).status_code == status


@pytest.mark.parametrize(("given", "trigger"), [(SECRET, "one"), ("another-token", "two"), ("none", None)])
def test_each_source_of_an_endpoint_knows_its_own_sender(
    hooks: Webhooks, given: str, trigger: str | None
) -> None:
    answer = hooks.post("customers", ADA, headers={"X-Customer": given}, signed=False)
    assert answer.status_code == (202 if trigger else 401)
    assert hooks.last().triggers == ((trigger,) if trigger else ("one", "two"))
    assert hooks.last().headers["x-customer"] == "[redacted]"
