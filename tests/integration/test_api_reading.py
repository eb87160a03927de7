"""Reading over HTTP: the list with its filters and cursors, one run, its logs and spans, workflows; and canceling."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Failed, Failure
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem
from keystroke.operations.record_step import record_step
from keystroke.operations.record_trace import record_trace
from support.api import Api, assert_problem

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


def record_a_step(api: Api, lease: Lease) -> None:
    """One step that cost something."""
    step = Step(
        identity="charge#0", key="charge", name="charge", kind=StepKind.ACTION, status=StepStatus.SUCCESS, attempt=1,
        digest="d", started_at=NOW, finished_at=NOW, input={"password": "hunter2"}, output={"token": "t", "ok": True},
    )  # fmt: skip
    item = UsageItem("model", "gpt", Decimal(1), "call", Decimal("0.0042"), "USD", "charge#0")
    record_step(api.stage.database, lease, step, api.stage.settings, [item])


def record_lines(api: Api, lease: Lease, count: int) -> None:
    """So many spans and log lines."""
    spans = [
        Span(f"{number:016x}", None, f"span {number}", "internal", NOW, NOW, "ok") for number in range(count)
    ]
    logs = [LogLine(NOW, "INFO", f"line {number}", "stdout") for number in range(count)]
    record_trace(api.stage.database, lease, spans, logs, api.stage.settings)


# --- The list -----------------------------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_without_payloads(api: Api) -> None:
    first, second = (api.stage.start().run_id for _ in range(2))
    listed = api.get("/runs").json
    assert [run["id"] for run in listed["data"]] == [second, first]
    assert (listed["next_cursor"], listed["has_more"]) == (None, False)
    assert not {"input", "output", "error"} & set(listed["data"][0])


def test_pages_stay_right_while_runs_arrive(api: Api) -> None:
    started = [api.stage.start().run_id for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/runs?limit=2{cursor}").json
        seen += [run["id"] for run in page["data"]]
        api.stage.start()
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == started[::-1]


def test_each_filter_finds_its_runs(api: Api) -> None:
    stage = api.stage
    tagged = stage.start(tags={"customer": "acme", "path": "a=b"}).run_id
    lease = stage.claim()
    assert lease
    record_a_step(api, lease)
    stage.finish(lease, Failed(Failure("ValueError", "the card was declined"), Reason.USER_ERROR))
    failed = stage.run(tagged)
    other = stage.start("retried").run_id
    for query in (
        "status=failed", "status=failed&status=canceled", "kind=workflow&workflow=greet", "project=demo&workflow=greet",
        "trigger=api&workflow=greet", "actor=local&workflow=greet", "model=gpt", "tag=customer=acme", "tag=path=a=b",
        "tag=customer=acme&tag=customer=other", f"deployment={failed.deployment}", f"error={failed.error['fingerprint']}",
        "min_cost=0.0042&max_cost=0.0042", "min_duration=0&max_duration=1h", "min_steps=1&max_steps=1", "q=declined",
        f"q={tagged}", f"q={tagged[:-2]}", f"until={quote(failed.created_at.isoformat())}",
    ):  # fmt: skip
        assert api.ids(query) == [tagged], query
    for query in (
        "status=queued",
        "workflow=retried",
        f"since={quote(stage.run(other).created_at.isoformat())}",
    ):
        assert api.ids(query) == [other], query
    for query in (
        "status=canceled", "service=gpt", "tag=customer=other", "min_cost=0.0043", "min_steps=2", "min_duration=1h",
        "q=accepted", "project=other", "parent=" + tagged, "status=failed&workflow=retried", "since=2999-01-01T00:00:00Z",
        "trigger=a:b", "actor=somebody", "error=0123456789abcdef", "deployment=dep_x",
    ):  # fmt: skip
        assert api.ids(query) == [], query


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("colour=red", "$.colour"),
        ("status=done", "$.status[0]"),
        ("kind=job", "$.kind[0]"),
        ("trigger=magic", "$.trigger[0]"),
        ("tag=novalue", "$.tag[0]"),
        ("tag==novalue", "$.tag[0]"),
        ("error=nope", "$.error[0]"),
        ("parent=run_x", "$.parent[0]"),
        ("min_cost=cheap", "$.min_cost"),
        ("min_cost=-1", "$.min_cost"),
        ("min_cost=NaN", "$.min_cost"),
        ("max_cost=1e999", "$.max_cost"),
        ("max_cost=1e-30", "$.max_cost"),
        ("max_cost=" + "9" * 5000, "$.max_cost"),
        ("min_duration=soon", "$.min_duration"),
        ("min_duration=-1", "$.min_duration"),
        ("min_duration=1.5", "$.min_duration"),
        ("min_duration=", "$.min_duration"),
        ("min_duration=" + "9" * 5000, "$.min_duration"),
        ("min_steps=1.5", "$.min_steps"),
        ("min_steps=-1", "$.min_steps"),
        ("max_steps=" + "9" * 5000, "$.max_steps"),
        ("max_steps=99999999999999999999", "$.max_steps"),
        ("since=yesterday", "$.since"),
        ("since=2026-11-23T20:00:00", "$.since"),
        ("since=0001-01-01T00:00:00%2B14:00", "$.since"),
        ("until=9999-12-31T23:59:59-14:00", "$.until"),
        ("until=1700000000", "$.until"),
        ("q=", "$.q"),
        ("q=%00", "$.q"),
        ("q=" + "x" * 301, "$.q"),
        ("workflow=a%00b", "$.workflow[0]"),
        ("limit=0", "$.limit"),
        ("limit=201", "$.limit"),
        ("limit=ten", "$.limit"),
        ("limit=1&limit=2", "$.limit"),
        ("q=a&q=b", "$.q"),
        ("cursor=", "$.cursor"),
        ("cursor=%FF", "$.cursor"),
        ("cursor=!!!!", "$.cursor"),
        ("cursor=run_x", "$.cursor"),
        ("cursor=" + "l" * 26, "$.cursor"),
        ("&".join(f"workflow=w{number}" for number in range(101)), "$.workflow"),
    ],
)
def test_what_no_filter_understands_is_refused(api: Api, query: str, path: str) -> None:
    document = assert_problem(api.get(f"/runs?{query}"), 422, "invalid-request")
    assert [error["path"] for error in document["errors"]] == [path]


@pytest.mark.parametrize(
    "text", ["%", "_", "'; drop table runs; --", "<script>alert(1)</script>", "\\", "{now}", ":q0", "%s"]
)
def test_text_is_only_text(api: Api, text: str) -> None:
    run_id = api.stage.start(tags={"note": text}).run_id
    api.stage.start()
    assert api.ids(f"tag={quote('note=' + text)}") == [run_id]
    assert api.ids(f"workflow={quote(text)}") == []
    assert run_id in api.ids(f"q={quote(text)}")


# --- One run ------------------------------------------------------------------------------------------------------


def test_a_run_with_everything(api: Api) -> None:
    lease = api.stage.start_and_claim()
    record_a_step(api, lease)
    record_lines(api, lease, 1)
    api.stage.finish(lease)
    run = api.get(f"/runs/{lease.run_id}?include=trigger,steps,trace,attempts,timeline").json
    assert (run["status"], run["output"]) == ("success", {"greeting": "hello"})
    assert run["steps"][0]["identity"] == "charge#0"
    assert run["usage"]["total_cost"] == "0.0042"
    assert [span["name"] for span in run["trace"]["spans"]] == ["span 0"]
    assert [line["body"] for line in run["trace"]["logs"]] == ["line 0"]
    assert [attempt["ended"] for attempt in run["attempts"]] == ["complete"]
    assert [entry["status"] for entry in run["timeline"]][-2:] == ["running", "success"]


def test_parts_come_only_when_asked_for(api: Api) -> None:
    run = api.get(f"/runs/{api.stage.start().run_id}").json
    assert not {"steps", "trace", "attempts", "timeline"} & set(run)


def test_secrets_are_never_shown(api: Api) -> None:
    run_id = api.client.post(
        "/workflows/greet", json={"name": "Ada", "password": "hunter2", "deep": [{"API_KEY": "k"}]}
    ).json["run_id"]
    lease = api.stage.claim()
    assert lease
    record_a_step(api, lease)
    answer = api.get(f"/runs/{run_id}?include=steps")
    assert answer.json["input"] == {
        "name": "Ada",
        "password": "[redacted]",
        "deep": [{"API_KEY": "[redacted]"}],
    }
    assert answer.json["steps"][0]["output"] == {"token": "[redacted]", "ok": True}
    assert "hunter2" not in answer.text


def test_a_run_is_found_by_the_beginning_of_its_id(api: Api) -> None:
    run_id = api.stage.start().run_id
    assert api.get(f"/runs/{run_id[:-3]}").json["id"] == run_id
    api.stage.start()
    assert_problem(api.get("/runs/run_"), 422, "ambiguous-run-id")


@pytest.mark.parametrize(
    "run_id",
    [
        "run_00000000000000000000000000",
        "nope",
        "run_%00",
        "run_'",
        "run_" + "0" * 27,
        "run_ü",
        "%ED%A0%80",
        "a" * 3000,
        "run_0%0A",
    ],
)
@pytest.mark.parametrize("rest", ["", "/logs", "/spans", "/cancel"])
def test_what_is_no_run_is_not_found(api: Api, run_id: str, rest: str) -> None:
    answer = (
        api.post(f"/runs/{run_id}{rest}", json={}) if rest == "/cancel" else api.get(f"/runs/{run_id}{rest}")
    )
    assert_problem(answer, 404, "run-not-found")


@pytest.mark.parametrize(
    "include", ["everything", "", "steps,", ",steps", "steps, trace", "steps&include=trace"]
)
def test_an_unknown_part_is_refused(api: Api, include: str) -> None:
    assert_problem(api.get(f"/runs/{api.stage.start().run_id}?include={include}"), 422, "invalid-request")


@pytest.mark.parametrize(("what", "name"), [("logs", "body"), ("spans", "name")])
def test_lines_are_paged_and_followed(api: Api, what: str, name: str) -> None:
    lease = api.stage.start_and_claim()
    path = f"/runs/{lease.run_id}/{what}"
    assert api.get(path).json == {"data": [], "next_cursor": None, "has_more": False}
    record_lines(api, lease, 5)
    first = api.get(f"{path}?limit=3").json
    second = api.get(f"{path}?limit=3&cursor={first['next_cursor']}").json
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert len([line[name] for line in first["data"] + second["data"]]) == 5
    nothing_yet = api.get(f"{path}?cursor={second['next_cursor']}").json
    assert (nothing_yet["data"], nothing_yet["next_cursor"]) == ([], second["next_cursor"])
    record_lines(api, lease, 1)
    assert len(api.get(f"{path}?cursor={nothing_yet['next_cursor']}").json["data"]) == 1


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=", "cursor=-1", "limit=0", "limit=1001", "level=info", "cursor=" + "9" * 19]
)
def test_a_foreign_cursor_of_lines_is_refused(api: Api, query: str) -> None:
    assert_problem(api.get(f"/runs/{api.stage.start().run_id}/logs?{query}"), 422, "invalid-request")


# --- Cancel -------------------------------------------------------------------------------------------------------


def test_a_run_at_rest_is_canceled_at_once(api: Api) -> None:
    run_id = api.stage.start().run_id
    answer = api.post(f"/runs/{run_id}/cancel")
    assert (answer.status_code, answer.json["status"]) == (202, "canceled")
    assert api.stage.run(run_id).status is Status.CANCELED
    assert "canceled" in assert_problem(api.post(f"/runs/{run_id}/cancel"), 409, "run-ended")["detail"]


def test_a_running_run_is_asked_to_end_as_often_as_you_like(api: Api) -> None:
    lease = api.stage.start_and_claim()
    for body in ({"json": {}}, {}):
        answer = api.post(f"/runs/{lease.run_id}/cancel", **body)
        assert (answer.status_code, answer.json["status"]) == (202, "running")
    assert api.stage.run(lease.run_id).cancel_requested_at is not None


def test_a_run_that_ended_cannot_be_canceled(api: Api) -> None:
    lease = api.stage.start_and_claim()
    api.stage.finish(lease)
    assert "success" in assert_problem(api.post(f"/runs/{lease.run_id}/cancel"), 409)["detail"]


def test_who_canceled_is_on_record(api: Api) -> None:
    run_id = api.stage.start().run_id
    api.post(f"/runs/{run_id}/cancel", json={})
    last = api.get(f"/runs/{run_id}?include=timeline").json["timeline"][-1]
    assert (last["status"], last["reason"], last["actor"]["id"]) == ("canceled", "canceled_by_user", "local")


# --- Workflows ----------------------------------------------------------------------------------------------------


def test_workflows_show_their_schemas_and_how_they_do(api: Api) -> None:
    lease = api.stage.start_and_claim()
    api.stage.finish(lease)
    failing = api.stage.start_and_claim()
    api.stage.finish(failing, Failed(Failure("ValueError", "no"), Reason.USER_ERROR))
    greet, retried = api.get("/projects/demo/workflows").json["data"]
    assert (greet["slug"], retried["slug"]) == ("greet", "retried")
    assert greet["input_schema"]["required"] == ["name"]
    assert greet["last_run"]["id"] == failing.run_id
    assert (greet["finished_runs"], greet["success_rate"]) == (2, 0.5)
    assert (retried["last_run"], retried["success_rate"]) == (None, None)
    assert api.get("/projects/demo/workflows/greet").json == greet


def test_an_unknown_workflow_names_the_nearest(api: Api) -> None:
    assert (
        "greet"
        in assert_problem(api.get("/projects/demo/workflows/greeet"), 404, "workflow-not-found")["detail"]
    )
    assert_problem(api.get("/projects/nope/workflows"), 404, "project-not-found")


def test_projects_are_listed(api: Api) -> None:
    projects: list[dict[str, Any]] = api.get("/projects").json["data"]
    assert [(project["slug"], project["organization"]) for project in projects] == [("demo", "default")]
