"""Backfills: over HTTP, and as beats carry them out, several at once, dying at every commit."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystroke import crashpoints
from keystroke.clock import rfc3339, to_micros
from keystroke.operations.carry_out_backfill import CarriedOut, carry_out_next
from support.api import assert_problem
from support.triggers import HOURLY, SIGNUP, Triggers, fits

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def created(triggers: Triggers, hours: float = 24, *, begin: datetime = DAY, **options: Any) -> Any:
    body = {"from": rfc3339(begin), "to": rfc3339(begin + timedelta(hours=hours)), **options}
    answered = triggers.api.post("/triggers/hourly/backfills", json=body)
    assert answered.status_code in (200, 202), answered.text
    return fits(triggers.api, "/triggers/{trigger}/backfills", "post", answered)


def carry_out(triggers: Triggers, **options: Any) -> list[CarriedOut]:
    """Until nothing is left to do."""
    stage, parts = triggers.stage, []
    while (done := carry_out_next(stage.database, stage.settings, stage.box, **options)) is not None:
        parts.append(done)
    return parts


def shown(triggers: Triggers, backfill: str) -> Any:
    return fits(triggers.api, "/backfills/{backfill}", "get", triggers.api.get(f"/backfills/{backfill}"))


def fired_times(triggers: Triggers) -> list[str]:
    listed = triggers.api.get("/triggers/hourly/runs?outcome=fired&limit=200").json["data"]
    return [each["scheduled_at"] for each in listed if each["origin"].startswith("backfill:")]


def test_a_backfill_fires_for_every_time_that_was_not_fired_for(triggers: Triggers) -> None:
    api = triggers.api
    for hour, outcome in ((3, "fired"), (4, "missed"), (5, "skipped_overlap")):
        triggers.tick("hourly", to_micros(DAY + timedelta(hours=hour)), outcome)
    plan = created(triggers, 6, dry_run=True)
    assert (plan["total"], plan["fires"], plan["skipped"]) == (6, 5, 1)
    assert plan["times"][0] == rfc3339(DAY)
    made = created(triggers, 6)
    assert (made["status"], made["total"], made["fired"]) == ("running", 6, 0)
    parts = carry_out(triggers, batch=4)
    assert [(len(part.started), part.backfill.status) for part in parts] == [(3, "running"), (2, "completed")]
    done = shown(triggers, made["id"])
    assert (done["fired"], done["skipped"], done["failed"], done["error"]) == (5, 1, 0, None)
    assert fired_times(triggers) == [rfc3339(DAY + timedelta(hours=hour)) for hour in (5, 4, 2, 1, 0)]
    run = api.get(f"/runs/{parts[0].started[1].run_id}").json
    assert (run["priority"], run["actor"]["name"], run["input"]) == (-10, "local owner", {"name": "Ada"})
    assert run["trigger"]["scheduled_at"] == rfc3339(DAY + timedelta(hours=1))
    assert run["trigger"]["previous_fire"] == rfc3339(DAY)
    again = created(triggers, 6)
    assert [len(part.started) for part in carry_out(triggers)] == [0], "all of them have been fired for"
    assert shown(triggers, again["id"])["skipped"] == 6
    whole = created(triggers, 6, reprocess=True)
    carry_out(triggers)
    assert shown(triggers, whole["id"])["fired"] == 6
    listed = fits(api, "/triggers/{trigger}/backfills", "get", api.get("/triggers/hourly/backfills?limit=2"))
    assert [each["id"] for each in listed["data"]] == [whole["id"], again["id"]]
    rest = api.get(f"/triggers/hourly/backfills?cursor={listed['next_cursor']}").json
    assert [each["id"] for each in rest["data"]] == [made["id"]]
    empty = created(triggers, 0.5, begin=DAY + timedelta(minutes=1))
    assert (empty["status"], empty["total"]) == ("completed", 0)


def test_a_backfill_ends_where_it_is_canceled_or_its_schedule_is_gone(triggers: Triggers) -> None:
    api, stage = triggers.api, triggers.stage
    made = created(triggers)
    carry_out_next(stage.database, stage.settings, stage.box, batch=10)
    canceled = fits(api, "/backfills/{backfill}/cancel", "post", api.post(f"/backfills/{made['id']}/cancel"))
    assert (canceled["status"], canceled["fired"]) == ("canceled", 10)
    assert_problem(api.post(f"/backfills/{made['id']}/cancel"), 409, "backfill-ended")
    assert carry_out(triggers) == []
    gone = created(triggers)
    triggers.publish(SIGNUP, digest="without it")
    carry_out(triggers)
    ended = shown(triggers, gone["id"])
    assert (ended["status"], ended["fired"]) == ("failed", 0)
    assert "retired" in ended["error"]
    assert [action for action, _ in triggers.audited()] == [
        "trigger.backfill", "trigger.cancel_backfill", "trigger.backfill",
    ]  # fmt: skip


class Death(BaseException):
    """What a process would die of."""


def test_beats_that_die_at_every_commit_fire_once_for_each_time(
    triggers: Triggers, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, deaths = created(triggers), 0

    def die_half_of_the_time(name: str) -> None:
        nonlocal deaths
        deaths += 1
        if name.startswith("backfill-") and deaths % 3:
            raise Death

    monkeypatch.setattr(crashpoints, "on_passing", die_half_of_the_time)
    for _ in range(100):
        try:
            carry_out(triggers, batch=5)
            break
        except Death:
            continue
    assert deaths > 5
    assert shown(triggers, made["id"])["fired"] == 24
    assert fired_times(triggers) == [rfc3339(DAY + timedelta(hours=hour)) for hour in range(23, -1, -1)]
    assert len(triggers.api.ids("limit=200")) == 24


def test_several_beats_and_backfills_at_once_fire_once_for_each_time(triggers: Triggers) -> None:
    both = [created(triggers), created(triggers)]
    errors: list[BaseException] = []

    def beat() -> None:
        try:
            for _ in range(30):
                carry_out(triggers, batch=3)
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    beats = [threading.Thread(target=beat) for _ in range(3)]
    for each in beats:
        each.start()
    for each in beats:
        each.join()
    assert errors == []
    counts = [shown(triggers, each["id"]) for each in both]
    assert [each["status"] for each in counts] == ["completed"] * 2
    assert sum(each["fired"] for each in counts) == sum(each["skipped"] for each in counts) == 24
    assert len(set(fired_times(triggers))) == len(fired_times(triggers)) == 24


def test_what_cannot_be_started_is_counted_and_keeps_nothing_from_firing(triggers: Triggers) -> None:
    off = triggers.api.client.patch(
        "/api/v1/triggers/hourly", json={"attachments": {"greet": {"disabled": True}}}
    )
    assert off.status_code == 200
    made = created(triggers, 3)
    carry_out(triggers)
    done = shown(triggers, made["id"])
    assert (done["status"], done["fired"], done["failed"]) == ("completed", 0, 3)


def test_what_is_no_backfill_is_refused(triggers: Triggers) -> None:
    api = triggers.api
    late, soon = rfc3339(DAY + timedelta(hours=1)), rfc3339(triggers.source("hourly").now + timedelta(days=1))
    path = "/triggers/hourly/backfills"
    for body in (
        {"from": late, "to": rfc3339(DAY)}, {"from": late, "to": late}, {"from": late, "to": soon}, {"from": late},
        {"from": "yesterday", "to": late}, {"from": rfc3339(DAY), "to": late, "dry_run": 1}, {}, [],
        {"from": "1970-01-01T00:00:00Z", "to": late},
    ):  # fmt: skip
        assert_problem(api.post(path, json=body), 422)
    whole = {"from": rfc3339(DAY), "to": late}
    for slug in ("signup", "inbox"):
        assert_problem(api.post(f"/triggers/{slug}/backfills", json=whole), 422, "wrong-trigger-kind")
    foreign, viewer = api.key(organization="elsewhere"), api.key("viewer")
    assert_problem(api.post(path, json=whole, headers=viewer), 403)
    made = api.post(path, json=whole, headers=api.key("runner")).json
    for answered in (
        api.get(f"/backfills/{made['id']}", headers=foreign),
        api.post(f"/backfills/{made['id']}/cancel", headers=foreign),
        api.get("/backfills/bfl_none", headers=viewer),
    ):
        assert_problem(answered, 404, "backfill-not-found")
    triggers.publish(
        SIGNUP, replace(HOURLY, kind="webhook", options={"endpoint": "x"}), digest="another kind"
    )
    carry_out(triggers)
    assert api.get(f"/backfills/{made['id']}", headers=viewer).json["status"] == "failed"
