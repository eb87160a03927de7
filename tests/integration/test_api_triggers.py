"""Triggers over HTTP: how they are doing, what they did, when they fire, and what operators set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from keystroke.clock import rfc3339
from support.api import Api, assert_problem
from support.triggers import HOURLY, SIGNUP, Triggers, fits

HOUR = 3_600_000_000


def ids(api: Api, path: str) -> list[str]:
    answered = api.get(path)
    assert answered.status_code == 200, answered.text
    return [each["id"] for each in answered.json["data"]]


def test_triggers_are_listed_and_shown_with_how_they_are_doing(triggers: Triggers) -> None:
    api = triggers.api
    listed = fits(api, "/triggers", "get", api.get("/triggers"))["data"]
    assert [(each["slug"], each["kind"], each["health"]["status"]) for each in listed] == [
        ("hourly", "schedule", "ok"), ("inbox", "poll", "ok"), ("signup", "webhook", "unhealthy"),
    ]  # fmt: skip
    signup = fits(api, "/triggers/{trigger}", "get", api.get("/triggers/signup"))
    assert signup["url"] == "http://localhost/triggers/demo/signup"
    assert signup["signing"]["secret"] == "env:SIGNUP_SECRET"
    assert "webhook-signature" in signup["signing"]["how"]
    assert "SIGNUP_SECRET is not set" in signup["health"]["why"]
    assert [(each["id"], each["transform"]) for each in signup["attachments"]] == [
        ("signup:greet", False), ("signup:count", True),
    ]  # fmt: skip
    assert api.get(f"/triggers/{signup['id']}").json == signup
    assert ids(api, "/triggers?kind=poll&kind=schedule") == [listed[0]["id"], listed[1]["id"]]
    assert ids(api, "/triggers?workflow=count&project=demo") == [signup["id"]]
    assert_problem(api.get("/triggers?kind=x"), 422, "invalid-request")
    near = assert_problem(api.get("/triggers/sing-up"), 404, "trigger-not-found")
    assert "signup" in near["detail"]
    assert_problem(api.get("/triggers/signup?project=nope"), 404, "project-not-found")
    [greet] = [each for each in api.get("/projects/demo/workflows").json["data"] if each["slug"] == "greet"]
    assert {each["slug"] for each in greet["triggers"]} == {"hourly", "inbox", "signup"}
    assert len(api.get("/projects/demo/workflows/count").json["triggers"]) == 1


def test_events_are_one_list_newest_first(triggers: Triggers) -> None:
    api = triggers.api
    ticks = [triggers.tick("hourly", hour * HOUR, "missed" if hour == 2 else "fired") for hour in range(5)]
    listed = fits(api, "/triggers/{trigger}/runs", "get", api.get("/triggers/hourly/runs?limit=2"))
    assert [each["id"] for each in listed["data"]] == ticks[:-3:-1]
    rest = api.get(f"/triggers/hourly/runs?limit=200&cursor={listed['next_cursor']}").json
    assert [each["id"] for each in rest["data"]] == ticks[2::-1]
    assert rest["has_more"] is False
    assert ids(api, "/triggers/hourly/runs?outcome=missed") == [ticks[2]]
    shown = api.get("/triggers/hourly").json
    assert shown["counts"] == {"fired": 4, "missed": 1}
    assert shown["last_event"]["id"] == ticks[4]
    assert {each["slug"]: each["last_event"] and each["last_event"]["id"] for each in api.get("/triggers").json["data"]} == {
        "hourly": ticks[4], "inbox": None, "signup": None,
    }  # fmt: skip
    for query in ("outcome=nope", "limit=0", "cursor=x", "status=fired"):
        assert_problem(api.get(f"/triggers/hourly/runs?{query}"), 422, "invalid-request")


def test_a_delivery_belongs_to_every_source_that_it_names(triggers: Triggers) -> None:
    api = triggers.api
    other = replace(SIGNUP, slug="signup-too")
    triggers.publish(SIGNUP, other, digest="two at one endpoint")
    both = triggers.delivery("signup", "signup-too")
    alone = triggers.delivery("signup", outcome="rejected")
    assert ids(api, "/triggers/signup/runs") == [alone, both]
    assert ids(api, "/triggers/signup-too/runs") == [both]
    assert api.get(f"/triggers/signup-too/runs/{both}").json["trigger"] == "signup-too"
    assert_problem(api.get(f"/triggers/signup-too/runs/{alone}"), 404, "trigger-event-not-found")


def test_an_event_has_its_error_and_its_trace(triggers: Triggers) -> None:
    api = triggers.api
    tick = triggers.tick("inbox", HOUR, "error", error='{"type": "ValueError", "message": "no"}')
    triggers.execute(
        "insert into logs (run_id, event, at, severity, body, logger, written_at) values (:id, 1, 5, 'INFO', 'hi', 'app', {now})",
        id=tick,
    )  # fmt: skip
    shown = fits(api, "/triggers/{trigger}/runs/{event}", "get", api.get(f"/triggers/inbox/runs/{tick}"))
    assert shown["error"] == {"type": "ValueError", "message": "no"}
    assert [line["body"] for line in shown["trace"]["logs"]] == ["hi"]
    for missing in ("tick_none", "dlv_none", "x", "%00"):
        assert_problem(api.get(f"/triggers/inbox/runs/{missing}"), 404)


def test_the_next_times_are_foretold(triggers: Triggers) -> None:
    api = triggers.api
    found = fits(api, "/triggers/{trigger}/preview", "get", api.get("/triggers/hourly/preview?count=3"))[
        "data"
    ]
    assert len(found) == 3
    assert all(each["at"].endswith(":00:00.000000Z") and each["at"] == each["due_at"] for each in found)
    assert found[0]["local"].endswith(("CET", "CEST"))
    assert len(api.get("/triggers/inbox/preview").json["data"]) == 10
    assert_problem(api.get("/triggers/signup/preview"), 422, "wrong-trigger-kind")
    assert_problem(api.get("/triggers/hourly/preview?count=101"), 422, "invalid-request")


def test_a_trigger_is_disabled_paused_and_begins_anew(triggers: Triggers) -> None:
    api = triggers.api

    def patch(body: Any, slug: str = "hourly") -> TestResponse:
        return api.client.patch(f"/api/v1/triggers/{slug}", json=body)

    before = triggers.source("hourly")
    disabled = fits(api, "/triggers/{trigger}", "patch", patch({"disabled": True}))
    assert (disabled["health"]["status"], disabled["next_at"]) == ("disabled", None)
    assert patch({"disabled": True}).json["disabled_at"] == disabled["disabled_at"], "harmless"
    triggers.execute("update sources set next_at = 1, due_at = 1, failures = 7 where slug = 'hourly'")
    enabled = patch({"disabled": False}).json
    after = triggers.source("hourly")
    assert (enabled["health"]["status"], after.failures) == ("ok", 0)
    assert after.armed_at > before.armed_at
    assert after.next_at
    assert after.next_at > after.now, "it makes up for nothing"
    until = rfc3339(after.now + timedelta(hours=5))
    paused = patch({"paused_until": until}).json
    assert paused["health"] == {"status": "paused", "why": "Paused by local owner.", "until": until}
    assert paused["next_at"] > until
    assert patch({}).json["paused_until"] == until, "what is not named stays"
    assert patch({"paused_until": None}).json["health"]["status"] == "ok"
    assert patch({"disabled": True}, "inbox").status_code == 200
    assert patch({"disabled": False}, "inbox").json["next_at"] is not None
    assert triggers.audited() == [
        (f"trigger.{verb}", f"demo/{slug}")
        for verb, slug in (
            ("disable", "hourly"), ("enable", "hourly"), ("pause", "hourly"), ("resume", "hourly"), ("disable", "inbox"),
            ("enable", "inbox"),
        )
    ]  # fmt: skip


def test_attachments_are_switched_one_by_one_and_survive_a_redeploy(triggers: Triggers) -> None:
    api = triggers.api
    path = "/api/v1/triggers/signup"
    changed = api.client.patch(path, json={"attachments": {"count": {"disabled": True}}}).json
    assert [each["disabled_at"] is None for each in changed["attachments"]] == [True, False]
    triggers.publish(SIGNUP, HOURLY, digest="without the poll")
    shown = api.get("/triggers/signup").json
    assert [each["disabled_at"] is None for each in shown["attachments"]] == [True, False]
    refused = api.client.patch(path, json={"disabled": True, "attachments": {"nope": {"disabled": True}}})
    assert_problem(refused, 422, "not-attached")
    assert api.get("/triggers/signup").json["disabled_at"] is None, "all or nothing"
    assert_problem(
        api.client.patch("/api/v1/triggers/inbox", json={"disabled": True}), 409, "trigger-retired"
    )
    assert [each["slug"] for each in api.get("/triggers").json["data"]] == ["hourly", "signup"]
    retired = {
        each["slug"]: each["health"]["status"] for each in api.get("/triggers?retired=true").json["data"]
    }
    assert retired == {"hourly": "ok", "inbox": "retired", "signup": "unhealthy"}


BAD_CHANGES: list[Any] = [
    {"disabled": "yes"}, {"disabled": 1}, {"paused_until": "tomorrow"}, {"paused_until": "2020-01-01T00:00:00Z"}, {"x": 1},
    {"attachments": {"greet": True}}, {"attachments": {"\u0000": {"disabled": True}}}, [], "disabled",
]  # fmt: skip


def test_what_cannot_be_set_is_refused(triggers: Triggers) -> None:
    for body in BAD_CHANGES:
        assert_problem(triggers.api.client.patch("/api/v1/triggers/hourly", json=body), 422)
    assert triggers.audited() == []


def test_who_may_see_and_set(triggers: Triggers) -> None:
    api = triggers.api
    viewer, runner, foreign = api.key("viewer"), api.key("runner"), api.key(organization="elsewhere")
    source = triggers.source("hourly")
    assert api.get("/triggers/hourly", headers=viewer).status_code == 200
    assert_problem(api.client.patch("/api/v1/triggers/hourly", json={}, headers=runner), 403, "role-too-low")
    assert api.get("/triggers", headers=foreign).json["data"] == []
    for path in (source.id, f"{source.id}/runs", f"{source.id}/preview"):
        assert_problem(api.get(f"/triggers/{path}", headers=foreign), 404, "trigger-not-found")
    assert_problem(
        api.client.patch(f"/api/v1/triggers/{source.id}", json={}, headers=foreign), 404, "trigger-not-found"
    )


def test_a_tick_that_is_under_way_is_canceled(triggers: Triggers) -> None:
    tick, ended = triggers.tick("inbox", 1_000_000, None), triggers.tick("hourly", 1_000_000)
    viewer = triggers.api.key("viewer")
    runner = triggers.api.key("runner")
    path = f"/api/v1/triggers/inbox/runs/{tick}/cancel"
    assert triggers.api.client.post(path, headers=viewer).status_code == 403
    answer = triggers.api.client.post(path, headers=runner)
    assert (answer.status_code, answer.json["id"]) == (202, tick)
    assert ("tick.cancel", tick) in triggers.audited()
    answer = triggers.api.client.post(f"/api/v1/triggers/hourly/runs/{ended}/cancel", headers=runner)
    assert (answer.status_code, answer.json["detail"]) == (
        409,
        f"The tick {ended} of the trigger hourly has ended (fired): only one that is under way can be canceled.",
    )
    assert (
        triggers.api.client.post(f"/api/v1/triggers/hourly/runs/{tick}/cancel", headers=runner).status_code
        == 404
    )
