"""What is posted to a webhook, and what is answered: every row of the table, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from keystroke.domain.manifest import Manifest
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.store import sources
from support.api import assert_problem, open_api
from support.posting import Webhooks, signature, webhooks_of

_DEFINITIONS = """
signed("signup").attach(greet)
signed("plain", payload=None).attach(anything, transform=lambda value: value).attach(strict)
signed("two", payload=Lead).attach(greet).attach(anything)
signed("held").attach(greet)
signed("paused").attach(greet)
signed("partly").attach(greet)
signed("gone").attach(greet)
signed("slow", rate_limit=RateLimit(2, per="1h")).attach(greet)
signed("refused").attach(greet)
signed("large").attach(greet)

class Opened(BaseModel):
    type: Literal["opened", "reopened"]
    number: int

class Closed(BaseModel):
    type: Literal["closed"]
    number: int
    reason: str

signed("opened", "issues", Opened).attach(anything)
signed("closed", "issues", Closed).attach(anything)
signed("only-opened", payload=Opened).attach(anything)
"""
ADA = {"name": "Ada", "email": "ada@example.com"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hooks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhooks]:
    """The webhooks above; each test has endpoints of its own."""
    with webhooks_of(request, tmp_path_factory.mktemp("hooks"), _DEFINITIONS, webhook_limit=5_000) as opened:
        yield opened


@pytest.mark.parametrize("path", ["signup", "shop/signup"])
def test_a_delivery_starts_a_run(hooks: Webhooks, path: str) -> None:
    answer = hooks.post(path, ADA, headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    assert answer.status_code == 202, answer.text
    delivery = hooks.last()
    assert answer.json == {
        "ok": True, "delivery_id": delivery.id, "run_id": delivery.run_ids[0], "run_ids": list(delivery.run_ids),
    }  # fmt: skip
    assert (delivery.outcome, delivery.status, delivery.trigger, delivery.triggers) == (
        "fired", 202, "signup", ("signup",),
    )  # fmt: skip
    run = hooks.run(delivery.run_ids[0])
    assert (run.input, run.trigger.payload, run.trace_id) == (ADA, ADA, "a" * 32)
    assert (run.trigger.type, run.trigger.label, run.trigger.value, run.trigger.id) == (
        "webhook", "Webhook · signup", "signup:greet", delivery.id,
    )  # fmt: skip
    assert (run.actor.type, run.actor.name) == ("trigger", "Webhook · signup")


def test_a_run_for_each_attachment(hooks: Webhooks) -> None:
    answer = hooks.post("two", ADA)
    assert [hooks.run(each).workflow for each in answer.json["run_ids"]] == ["greet", "anything"]


def test_behind_a_transform_the_payload_is_kept_for_it_and_what_a_workflow_forbids_is_left_out(
    hooks: Webhooks,
) -> None:
    answer = hooks.post("plain", {"name": "Ada", "more": 1})
    transformed, pruned = (hooks.run(each) for each in answer.json["run_ids"])
    assert (transformed.input, transformed.trigger.payload) == (None, {"name": "Ada", "more": 1})
    assert pruned.input == {"name": "Ada"}


@pytest.mark.parametrize("headers", [{}, {"X-Signature": "0" * 64}, {"X-Signature": "\xff"}])
def test_who_is_not_known_is_told_no_more(hooks: Webhooks, headers: dict[str, str]) -> None:
    before = hooks.runs
    answer = hooks.post(
        "signup", ADA, signed=False, headers={**headers, "X-Auth-Token": "ab", "X-Api-Key": "ks_1"}
    )
    problem = assert_problem(answer, 401, "delivery-refused")
    assert problem["errors"] == []
    assert "X-Signature" not in answer.text
    delivery = hooks.last()
    assert (delivery.outcome, delivery.status, delivery.size) == ("rejected", 401, 43)
    assert delivery.error["code"] == "unverified"
    assert delivery.headers["x-auth-token"] == delivery.headers["x-api-key"] == "[redacted]"
    assert hooks.runs == before


def test_of_the_refused_the_newest_hundred_are_kept_without_body(hooks: Webhooks) -> None:
    for _ in range(103):
        hooks.post("refused", ADA, signed=False)
    kept = [each for each in hooks.deliveries() if each.endpoint == "refused"]
    assert len(kept) == 100
    body = hooks.api.get(f"/deliveries/{kept[0].id}").json["body"]
    assert body is None
    hooks.change("update sources set refused = refused where slug = 'refused' and refused = 103")


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        (b"{", "$", "cannot be read"),
        (b"\xff\xfe", "$", "UTF-8"),
        (b"", "$", "null is not of type"),
        (b'{"name": "Ada", "email": "nowhere"}', "$.email", "not a valid e-mail"),
        (b'{"name": 1}', "$.name", "is not of type 'string'"),
        (b'{"email": null}', "$", "'name' is a required property"),
        (b'{"name": "Ada", "name": "Bob"}', "$", "occurs twice"),
        (b"[" * 3_000 + b"]" * 1_000, "$", "nested"),
    ],
)
def test_what_does_not_fit_is_kept_as_rejected(hooks: Webhooks, body: bytes, path: str, said: str) -> None:
    before = hooks.runs
    problem = assert_problem(hooks.post("signup", body), 422, "invalid-delivery")
    assert problem["errors"][0]["path"] == path
    assert said in problem["errors"][0]["message"]
    delivery = hooks.last()
    assert (delivery.outcome, delivery.status, delivery.run_ids) == ("rejected", 422, ())
    assert delivery.error["errors"] == problem["errors"]
    assert hooks.runs == before


def test_literals_and_shared_endpoints_select(hooks: Webhooks) -> None:
    for body, trigger in (
        ({"type": "opened", "number": 1}, "opened"),
        ({"type": "closed", "number": 2, "reason": "done"}, "closed"),
    ):
        answer = hooks.post("issues", body)
        assert (answer.status_code, hooks.last().triggers) == (202, (trigger,))
        assert hooks.run(answer.json["run_id"]).trigger.value == f"{trigger}:anything"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("issues", b'{"type": "labeled", "number": 1}'),
        ("issues", b'{"type": "opened", "number": "x"}'),
        ("issues", b"no JSON"),
        ("only-opened", b'{"type": "closed", "other": 1}'),
    ],
)
def test_what_nobody_takes_is_skipped(hooks: Webhooks, endpoint: str, body: bytes) -> None:
    answer = hooks.post(endpoint, body)
    delivery = hooks.last()
    assert answer.status_code == 200
    assert answer.json == {"ok": True, "skipped": True, "delivery_id": delivery.id}
    assert (delivery.outcome, delivery.run_ids) == ("filtered", ())


def test_a_wrong_event_is_rejected_where_its_literal_fits(hooks: Webhooks) -> None:
    assert_problem(hooks.post("only-opened", {"type": "opened", "number": "x"}), 422)


@pytest.mark.parametrize(
    ("slug", "statement"),
    [
        ("held", "update sources set disabled_at = 1 where slug = 'held'"),
        ("paused", "update sources set paused_until = 9000000000000000 where slug = 'paused'"),
        (
            "partly",
            "update attachments set disabled_at = 1 where source_id = (select id from sources where slug = 'partly')",
        ),
    ],
)
def test_what_is_switched_off_starts_nothing_and_is_kept(hooks: Webhooks, slug: str, statement: str) -> None:
    hooks.change(statement)
    answer = hooks.post(slug, ADA, headers={"Idempotency-Key": slug})
    assert answer.status_code == 202
    assert answer.json == {"ok": True, "skipped": True, "delivery_id": hooks.last().id}
    assert hooks.last().outcome == "unrouted"
    again = hooks.post(slug, ADA, headers={"Idempotency-Key": slug})
    assert "duplicate" not in again.json, "it may be sent again under its id"
    assert_problem(hooks.post(slug, ADA, signed=False), 401)


@pytest.mark.parametrize("path", ["nobody", "nowhere/signup", "shop/nobody", "a%00b", "%FF/%FF", "x" * 500])
def test_where_there_is_no_webhook(hooks: Webhooks, path: str) -> None:
    assert_problem(hooks.post(path, ADA), 404, "endpoint-not-found")


def test_what_the_code_has_no_longer_is_gone(hooks: Webhooks) -> None:
    hooks.change("update sources set retired_at = 1 where slug = 'gone'")
    assert_problem(hooks.post("gone", ADA), 410, "endpoint-retired")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW"])
def test_only_posts_are_served(hooks: Webhooks, method: str) -> None:
    for path in ("/triggers/signup", "/triggers/shop/signup"):
        answer = hooks.api.client.open(path, method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert hooks.api.client.get("/triggers/nobody").status_code == 404


def test_the_page_of_a_trigger_lies_beside_the_endpoints(hooks: Webhooks) -> None:
    hooks.post("signup", ADA)
    page = hooks.api.client.get(f"/triggers/{hooks.last().trigger_id}")
    assert (page.status_code, page.mimetype) == (200, "text/html")


def test_of_a_slug_that_several_organizations_have_the_configured_ones_project_is_meant(
    hooks: Webhooks,
) -> None:
    other = publish_deployment(hooks.database, Manifest("zeta", "shop", "one", None, {}, {})).project
    with hooks.database.transaction() as tx:
        signup = sources.of_slug(tx, hooks.project.id, "signup")
        assert signup is not None
        sources.put_source(tx, other.id, other.current_deployment_id or "", signup.manifest)
        for organization, project in (("acme", hooks.project), ("zeta", other), ("nobody", hooks.project)):
            found = sources.posted_to(tx, organization, "shop", "signup")
            assert found is not None
            assert (found[0].id, [each.project_id for each in found[1]]) == (project.id, [project.id])
        found = sources.posted_to(tx, "zeta", None, "signup")
        assert found is not None
        assert found[0] == other
        assert sources.posted_to(tx, "acme", "shop", "nope") is None


def test_beyond_its_rate_a_delivery_is_put_off(hooks: Webhooks) -> None:
    taken = [hooks.post("slow", ADA, headers={"Idempotency-Key": f"k{at}"}).status_code for at in range(2)]
    count = len(hooks.deliveries())
    answer = hooks.post("slow", ADA, headers={"Idempotency-Key": "k2"})
    assert (taken, answer.status_code) == ([202, 202], 429)
    assert 1_700 < int(answer.headers["Retry-After"]) <= 1_800
    assert len(hooks.deliveries()) == count, "nothing of it is kept"
    known = hooks.post("slow", ADA, headers={"Idempotency-Key": "k0"})
    assert known.json["duplicate"] is True, "what was taken before is known all the same"
    hooks.change("update rate_limits set arrival_at = 0")
    assert hooks.post("slow", ADA, headers={"Idempotency-Key": "k2"}).status_code == 202


def test_a_body_beyond_the_limit_is_not_read(hooks: Webhooks) -> None:
    count = len(hooks.deliveries())
    assert hooks.post("large", {"name": "x" * 4_980}).status_code == 202
    assert_problem(hooks.post("large", {"name": "x" * 5_000}), 413, "body-too-large")
    assert len(hooks.deliveries()) == count + 1


def test_a_key_of_ours_is_neither_needed_nor_looked_at(hooks: Webhooks) -> None:
    headers = {
        "Authorization": "Bearer nonsense",
        "Host": "hooks.example.com",
        "Origin": "https://example.com",
    }
    assert hooks.post("signup", ADA, headers=headers).status_code == 202
    kept = hooks.last().headers
    assert (kept["authorization"], kept["x-signature"]) == ("[redacted]", "[redacted]")
    assert kept["host"] == "hooks.example.com"
    assert signature(b"x") not in str(kept)


def test_while_the_database_is_away_the_sender_is_told_when_to_come_again(hooks: Webhooks) -> None:
    stage = replace(
        hooks.api.stage,
        settings=replace(hooks.api.stage.settings, database_url="sqlite:////nowhere/keystroke.db"),
    )
    api = open_api(stage)
    answer = api.client.post("/triggers/signup", json=ADA)
    assert_problem(answer, 503, "database-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    api.services.close()


def test_what_is_answered_is_as_described(hooks: Webhooks) -> None:
    document: Any = hooks.api.client.get("/openapi.json").json
    described = document["paths"]["/triggers/{project}/{endpoint}"]["post"]["responses"]
    assert set(document["paths"]["/triggers/{endpoint}"]["post"]["responses"]) == set(described)
    key = {"Idempotency-Key": "described"}
    answers = [hooks.post("signup", ADA, headers=key) for _ in range(2)]
    answers += [
        hooks.post("only-opened", {"type": "closed"}),
        hooks.post("signup", {}),
        hooks.post("signup", ADA, signed=False),
    ]
    answers += [hooks.post("nobody", ADA), hooks.post("large", {"name": "x" * 5_000})]
    assert [each.status_code for each in answers] == [202, 200, 200, 422, 401, 404, 413]
    for each in answers:
        schema = described[str(each.status_code)]["content"][each.mimetype]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(each.json)
