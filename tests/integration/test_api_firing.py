"""Triggers fired by hand over HTTP, and tried without starting anything."""

from __future__ import annotations

import threading
from typing import Any

from support.api import assert_problem
from support.triggers import HOURLY, SIGNUP, Triggers, fits

ADA = {"name": "Ada"}


def test_a_webhook_is_fired_with_a_payload_and_leaves_a_delivery(triggers: Triggers) -> None:
    api = triggers.api
    fired = api.post("/triggers/signup/invoke", json={"payload": ADA})
    event = fits(api, "/triggers/{trigger}/invoke", "post", fired)
    assert (event["outcome"], event["origin"], event["actor"]) == ("fired", f"invoke:{event['id']}", None)
    assert fired.headers["Location"].endswith(f"/runs/{event['id']}")
    runs = [api.get(f"/runs/{run_id}").json for run_id in event["run_ids"]]
    assert [(run["trigger"]["value"], run["input"], run["trigger"]["id"]) for run in runs] == [
        ("signup:greet", ADA, event["id"]), ("signup:count", None, event["id"]),
    ]  # fmt: skip
    assert runs[0]["actor"]["name"] == "local owner"
    assert api.get("/triggers/signup/runs").json["data"][0]["id"] == event["id"]
    only = api.post("/triggers/signup/invoke", json={"payload": ADA, "workflow": "count"}).json
    assert len(only["run_ids"]) == 1
    refused = assert_problem(
        api.post("/triggers/signup/invoke", json={"payload": {}}), 422, "invalid-payload"
    )
    assert "name" in refused["detail"]
    assert_problem(
        api.post("/triggers/signup/invoke", json={"payload": ADA, "workflow": "x"}), 422, "not-attached"
    )
    assert [action for action, _ in triggers.audited()] == ["trigger.invoke"] * 2


def test_a_schedule_is_fired_beside_its_clock(triggers: Triggers) -> None:
    api = triggers.api
    event = fits(api, "/triggers/{trigger}/invoke", "post", api.post("/triggers/hourly/invoke"))
    run = api.get(f"/runs/{event['run_ids'][0]}").json
    assert (run["input"], run["trigger"]["scheduled_at"]) == (ADA, event["scheduled_at"])
    assert event["actor"]["name"] == "local owner"
    again = api.post("/triggers/hourly/invoke", json={"payload": {"name": "Bob"}}).json
    assert api.get(f"/runs/{again['run_ids'][0]}").json["input"] == {"name": "Bob"}
    disabled = {"attachments": {"greet": {"disabled": True}}}
    assert api.client.patch("/api/v1/triggers/hourly", json=disabled).status_code == 200
    assert api.post("/triggers/hourly/invoke").json["outcome"] == "unrouted"
    assert api.post("/triggers/hourly/invoke", json={"workflow": "greet"}).json["outcome"] == "fired"


def test_a_poll_is_fired_by_a_tick_that_a_worker_executes(triggers: Triggers) -> None:
    api = triggers.api
    event = api.post("/triggers/inbox/invoke")
    assert event.status_code == 202
    assert fits(api, "/triggers/{trigger}/invoke", "post", event)["outcome"] is None
    busy = assert_problem(api.post("/triggers/inbox/invoke", json={}), 409, "tick-under-way")
    assert event.json["id"] in busy["detail"]
    for body in ({"payload": 1}, {"workflow": "greet"}):
        assert_problem(api.post("/triggers/inbox/invoke", json=body), 422, "wrong-trigger-kind")


def test_a_dry_run_of_a_poll_is_waited_for(triggers: Triggers) -> None:
    api = triggers.api
    end = "update ticks set status = 'ended', outcome = 'fired', finished_at = {now}, found = :found where status = 'queued'"
    found = '{"payloads": 1, "runs": 0, "starts": [{"attachment": "inbox:greet", "payload": {"name": "A"}}]}'
    timer = threading.Timer(0.2, triggers.execute, (end,), {"found": found})
    timer.start()
    tried = api.post("/triggers/inbox/dry-run", headers={"Prefer": "wait=20"})
    timer.join()
    assert tried.status_code == 200, tried.text
    shown = fits(api, "/triggers/{trigger}/dry-run", "post", tried)
    assert shown["event"]["dry_run"] is True
    assert [(each["attachment"], each["input"]) for each in shown["would_start"]] == [
        ("inbox:greet", {"name": "A"})
    ]


def test_a_dry_run_starts_nothing(triggers: Triggers) -> None:
    api = triggers.api

    def tried(slug: str, body: Any) -> Any:
        answered = api.post(f"/triggers/{slug}/dry-run", json=body)
        assert answered.status_code == 200, answered.text
        return fits(api, "/triggers/{trigger}/dry-run", "post", answered)

    both = tried("signup", {"payload": ADA})
    assert [(each["workflow"], each["transform"], each["errors"]) for each in both["would_start"]] == [
        ("greet", False, []), ("count", True, []),
    ]  # fmt: skip
    wrong = tried("signup", {"payload": {"name": 1}})
    assert (wrong["errors"][0]["path"], wrong["would_start"]) == ("$.name", [])
    assert tried("hourly", {})["would_start"][0]["input"] == ADA
    failing = tried("hourly", {"payload": {}})["would_start"][0]
    assert "name" in failing["errors"][0]["message"]
    assert api.client.patch("/api/v1/triggers/hourly", json={"disabled": True}).status_code == 200
    assert tried("hourly", {})["held"] == "It is disabled."
    assert api.ids("") == []
    assert api.get("/triggers/signup/runs").json["data"] == []


def test_who_may_fire_what(triggers: Triggers) -> None:
    api = triggers.api
    viewer, runner, foreign = api.key("viewer"), api.key("runner"), api.key(organization="elsewhere")
    source = triggers.source("hourly")
    for verb in ("invoke", "dry-run"):
        assert_problem(api.post(f"/triggers/hourly/{verb}", headers=viewer), 403, "role-too-low")
        assert_problem(api.post(f"/triggers/{source.id}/{verb}", headers=foreign), 404, "trigger-not-found")
        assert api.post(f"/triggers/hourly/{verb}", headers=runner).status_code == 200
    triggers.publish(SIGNUP, digest="without it")
    for verb in ("invoke", "dry-run"):
        assert_problem(api.post(f"/triggers/hourly/{verb}", headers=runner), 409, "trigger-retired")
    triggers.publish(SIGNUP, HOURLY, digest="with it again")
    big = {"payload": {"name": "x" * 2_000_000}}
    assert_problem(api.post("/triggers/signup/invoke", json=big, headers=runner), 413)
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    for slug in ("signup", "hourly"):
        assert_problem(api.post(f"/triggers/{slug}/invoke", json={"payload": deep}, headers=runner), 422)
    assert_problem(api.post("/triggers/signup/invoke", json={"when": "now"}, headers=runner), 422)
    assert triggers.stage.claim() is not None
