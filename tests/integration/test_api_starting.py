"""Starting runs over HTTP: what is answered, what is recorded, what is refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.states import Status
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke_api import waits
from support.api import RUNS, Api, assert_problem, open_api
from support.starts import GREET, Stage, make_stage, publish
from support.waiting import wait_until


def test_a_start_is_recorded_before_it_is_acknowledged(api: Api) -> None:
    answer = api.client.post(
        RUNS, json={"input": {"name": "Ada"}, "tags": {"customer": "acme"}, "priority": 3}
    )
    assert answer.status_code == 202
    assert set(answer.json) == {"run_id", "status", "url"}
    assert answer.json["status"] == "queued"
    assert (
        answer.headers["Location"]
        == answer.json["url"]
        == f"http://localhost/api/v1/runs/{answer.json['run_id']}"
    )
    run = api.stage.run(answer.json["run_id"])
    assert (run.input, run.tags, run.priority) == ({"name": "Ada"}, {"customer": "acme"}, 3)
    assert (run.trigger.type, run.trigger.value, run.actor) == ("api", "api", LOCAL_OWNER)


def test_the_command_line_names_itself(api: Api) -> None:
    run = api.stage.run(api.start(**{"X-Keystroke-Client": "cli"}).json["run_id"])
    assert (run.trigger.type, run.trigger.label) == ("cli", "Command line")


def test_the_callers_trace_goes_on(api: Api) -> None:
    answer = api.start(traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    assert api.stage.run(answer.json["run_id"]).trace_id == "ab" * 16


def test_a_malformed_traceparent_is_as_good_as_none(api: Api) -> None:
    assert api.start(traceparent="00-zz-01").status_code == 202


def test_a_run_may_be_put_off(api: Api) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    run_id = api.client.post(RUNS, json={"input": {"name": "Ada"}, "run_at": later}).json["run_id"]
    assert api.get(f"/runs/{run_id}").json["status_reason"] == "scheduled"
    assert api.stage.claim() is None


def test_the_short_form_takes_the_body_as_the_input(api: Api) -> None:
    answer = api.client.post("/workflows/greet", json={"name": "Ada"})
    assert answer.status_code == 202
    assert api.stage.run(answer.json["run_id"]).input == {"name": "Ada"}


def test_the_short_form_without_a_configured_project_takes_the_oldest(stage: Stage) -> None:
    publish(stage.database, GREET, project="younger")
    api = open_api(stage, project="")
    run_id = api.client.post("/workflows/greet", json={"name": "Ada"}).json["run_id"]
    assert api.stage.run(run_id).project == "demo"
    api.services.close()


def test_the_short_form_needs_a_project(database: Database, settings: Settings) -> None:
    stage = make_stage(database, settings, GREET)
    api = open_api(stage, project="absent")
    assert_problem(api.client.post("/workflows/greet", json={}), 404, "project-not-found")
    api.services.close()


def test_input_that_does_not_fit_names_every_path(api: Api) -> None:
    document = assert_problem(
        api.client.post(RUNS, json={"input": {"name": 3, "email": "x"}}), 422, "invalid-input"
    )
    assert {error["path"] for error in document["errors"]} == {"$.name", "$.email"}


def test_an_unknown_workflow_is_told_the_nearest(api: Api) -> None:
    answer = api.post("/projects/demo/workflows/gret/runs", json={"input": {}})
    assert "greet" in assert_problem(answer, 404, "workflow-not-found")["detail"]


def test_an_unknown_project_is_not_found(api: Api) -> None:
    assert_problem(api.post("/projects/nope/workflows/greet/runs", json={}), 404, "project-not-found")


def test_a_payload_beyond_the_limit_is_refused_whole(stage: Stage) -> None:
    api = open_api(stage, payload_limit=100)
    assert_problem(api.client.post(RUNS, json={"input": {"name": "x" * 100}}), 413, "payload-too-large")
    assert api.ids("") == []
    api.services.close()


# --- Idempotency --------------------------------------------------------------------------------------------------


def test_the_same_start_under_the_same_key_is_the_same_run(api: Api) -> None:
    first = api.start(**{"Idempotency-Key": "order 17"})
    second = api.start(**{"Idempotency-Key": "order 17"})
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json["run_id"] == second.json["run_id"]
    assert second.headers["Location"] == first.headers["Location"]


@pytest.mark.parametrize(
    "changed",
    [
        {"input": {"name": "Bob"}},
        {"input": {"name": "Ada"}, "tags": {"a": "b"}},
        {"input": {"name": "Ada"}, "priority": 1},
        {"input": {"name": "Ada"}, "run_at": "2030-01-01T00:00:00Z"},
    ],
)
def test_another_start_under_the_same_key_is_refused(api: Api, changed: dict[str, Any]) -> None:
    api.start(**{"Idempotency-Key": "order 17"})
    answer = api.client.post(RUNS, json=changed, headers={"Idempotency-Key": "order 17"})
    assert_problem(answer, 422, "idempotency-conflict")
    assert len(api.ids("")) == 1


def test_starts_at_the_same_moment_under_one_key_are_one_run(api: Api) -> None:
    together = threading.Barrier(6)

    def start(_: int) -> tuple[int, str]:
        together.wait()
        answer = api.app.test_client().post(
            RUNS, json={"input": {"name": "Ada"}}, headers={"Idempotency-Key": "once"}
        )
        return answer.status_code, answer.json["run_id"]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(start, range(6)))
    assert sorted(status for status, _ in answers) == [200] * 5 + [202]
    assert len({run_id for _, run_id in answers}) == 1


# --- Batches ------------------------------------------------------------------------------------------------------


def test_a_batch_answers_for_each_item(api: Api) -> None:
    items = [
        {"input": {"name": "Ada"}, "tags": {"n": "1"}, "idempotency_key": "k"},
        {"input": {"name": 3}},
        {"input": {"name": "Bob"}, "surprise": True},
        {"input": {"name": "Ada"}, "tags": {"n": "1"}, "idempotency_key": "k"},
        {"input": {"name": "Eve"}, "idempotency_key": "k"},
        "no object",
    ]
    answer = api.client.post(f"{RUNS}:batch", json={"runs": items})
    assert answer.status_code == 200
    first, bad_input, bad_item, again, conflict, no_object = answer.json["data"]
    assert first["run_id"] == again["run_id"]
    assert [each["status"] for each in (bad_input, bad_item, conflict, no_object)] == [422] * 4
    assert bad_input["errors"][0]["path"] == "$.name"
    assert bad_item["errors"][0]["path"] == "$.surprise"
    assert conflict["type"].endswith("idempotency-conflict")
    assert api.ids("") == [first["run_id"]]


def test_a_thousand_runs_start_at_once_and_no_more(api: Api) -> None:
    items = [{"input": {"name": str(number)}} for number in range(1000)]
    answer = api.client.post(f"{RUNS}:batch", json={"runs": items})
    assert len({each["run_id"] for each in answer.json["data"]}) == 1000
    assert_problem(api.client.post(f"{RUNS}:batch", json={"runs": [*items, {}]}), 422, "invalid-request")
    assert_problem(api.client.post(f"{RUNS}:batch", json={"runs": []}), 422, "invalid-request")


def test_a_batch_of_an_unknown_workflow_tells_each_item(api: Api) -> None:
    answer = api.post("/projects/demo/workflows/nope/runs:batch", json={"runs": [{}]})
    assert answer.json["data"][0]["status"] == 404


# --- Waiting ------------------------------------------------------------------------------------------------------


def test_a_wait_answers_with_the_whole_run_when_it_has_ended(api: Api) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.start, Prefer="respond-async, wait=30")
        lease = wait_until(api.stage.claim)
        api.stage.finish(lease)
        answer = waiting.result(10)
    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["status"]) == (lease.run_id, "success")
    assert answer.json["output"] == {"greeting": "hello"}
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert answer.headers["Location"].endswith(lease.run_id)


def test_a_wait_that_is_over_first_answers_where_the_run_is(api: Api) -> None:
    answer = api.start(Prefer="wait=1")
    assert (answer.status_code, set(answer.json)) == (202, {"run_id", "status", "url"})


@pytest.mark.parametrize(
    "prefer", ["wait=", "wait=-1", "wait=ten", "wait=0", "return=minimal", "wait=1.5", "=", "wait=1e9"]
)
def test_a_preference_that_is_not_understood_is_ignored(api: Api, prefer: str) -> None:
    answer = api.start(Prefer=prefer)
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_no_more_wait_than_there_is_room_for(stage: Stage) -> None:
    api = open_api(stage, streams=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.start, Prefer="wait=60")
        wait_until(lambda: len(api.services.waits._awaited) == 1)
        assert api.start(Prefer="wait=60").status_code == 202
        api.services.close()
        assert first.result(5).status_code == 202


def test_a_wait_outlives_a_database_that_was_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    real = waits.history.list_statuses

    def away_at_first(*arguments: Any) -> dict[str, Status]:
        looks.append(1)
        if len(looks) == 1:
            raise waits.KeystrokeError
        return real(*arguments)

    monkeypatch.setattr(waits.history, "list_statuses", away_at_first)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.start, Prefer="wait=30")
        wait_until(lambda: looks)
        api.stage.finish(wait_until(api.stage.claim))
        assert waiting.result(10).status_code == 200


def test_an_ended_run_is_not_waited_for(api: Api) -> None:
    api.start(**{"Idempotency-Key": "k"})
    lease = api.stage.claim()
    assert lease
    api.stage.finish(lease)
    answer = api.start(**{"Idempotency-Key": "k", "Prefer": "wait=60"})
    assert (answer.status_code, answer.json["status"]) == (200, "success")


def test_links_begin_with_the_public_url(stage: Stage) -> None:
    api = open_api(stage, public_url="https://keystroke.example/")
    assert api.start().json["url"].startswith("https://keystroke.example/api/v1/runs/run_")
    api.services.close()
