"""Server-sent events: one run from its beginning, resumed, to its end; the list from now on."""

from __future__ import annotations

import signal
import socket
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from keystroke.domain.lease import Lease
from keystroke.domain.trace import LogLine
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_trace import record_trace
from support.api import NO_BROKER, Api, assert_problem, open_api
from support.processes import Processes
from support.starts import GREET, Stage, publish
from support.streams import events


def log(stage: Stage, lease: Lease, *bodies: str) -> None:
    """Write log lines."""
    lines = [LogLine(datetime.now(UTC), "INFO", body, "stdout") for body in bodies]
    record_trace(stage.database, lease, [], lines, stage.settings)


def test_a_run_is_told_from_its_beginning_to_its_end(api: Api) -> None:
    lease = api.stage.start_and_claim()
    told = events(api, f"/runs/{lease.run_id}/events")
    assert [next(told).data["status"] for _ in range(2)] == ["queued", "running"]
    log(api.stage, lease, "one", "two")
    record_progress(api.stage.database, lease, 0.5, "half")
    seen = [next(told) for _ in range(3)]
    assert [each.data.get("body", each.data.get("fraction")) for each in seen] == ["one", "two", 0.5]
    api.stage.finish(lease)
    assert [(each.name, each.data.get("status")) for each in told] == [("status", "success"), ("end", None)]


def test_what_was_told_is_not_told_again_after_a_resumption(api: Api) -> None:
    lease = api.stage.start_and_claim()
    log(api.stage, lease, "one", "two", "three")
    told = events(api, f"/runs/{lease.run_id}/events")
    second_line = [next(told) for _ in range(4)][-1]
    told.close()
    api.stage.finish(lease)
    rest = list(events(api, f"/runs/{lease.run_id}/events", **{"Last-Event-ID": second_line.position}))
    assert [(each.name, each.data.get("body", each.data.get("status"))) for each in rest] == [
        ("log", "three"), ("status", "success"), ("end", None),
    ]  # fmt: skip


def test_a_first_request_may_say_where_to_begin(api: Api) -> None:
    lease = api.stage.start_and_claim()
    first = next(events(api, f"/runs/{lease.run_id}/events"))
    api.stage.finish(lease)
    told = events(api, f"/runs/{lease.run_id}/events?after={first.position}")
    assert [each.name for each in told] == ["status", "status", "end"]
    assert_problem(api.get(f"/runs/{lease.run_id}/events?after=x"), 422)


def test_the_list_tells_which_runs_change_from_now_on(api: Api) -> None:
    api.stage.start()
    told = events(api, "/events")
    assert next(told).name == "ready"
    started = api.stage.start()
    [change] = next(told).data["data"]
    assert change == {"id": started.run_id, "transition": "create", "status": "queued", "workflow": "greet"}


def test_the_list_does_not_resume_but_says_so(api: Api) -> None:
    assert next(events(api, "/events", **{"Last-Event-ID": "7"})).name == "reset"


def test_nothing_is_told_about_other_projects(api: Api) -> None:
    other = publish(api.stage.database, GREET, project="other")
    told = events(api, "/events", **api.key("viewer", project="demo"))
    assert next(told).name == "ready"
    unseen = replace(api.stage, project=other).start()
    seen = api.stage.start()
    assert unseen.created
    assert [change["id"] for change in next(told).data["data"]] == [seen.run_id]


def test_an_unknown_run_has_no_events(api: Api) -> None:
    assert_problem(api.get("/runs/run_01kasjb2vzf0btnyfp0a4dd6pb/events"), 404)


def test_too_many_streams_are_refused_at_once(stage: Stage) -> None:
    api = open_api(stage, streams=1)
    try:
        told = events(api, "/events")
        next(told)
        refused = api.get("/events")
        assert_problem(refused, 503, "too-many-streams")
        assert refused.headers["Retry-After"]
        told.close()
        assert next(events(api, "/events")).name == "ready"
    finally:
        api.services.close()


def test_streams_end_with_the_process(api: Api) -> None:
    told = events(api, "/events")
    assert next(told).name == "ready"
    api.services.waits.close()
    assert list(told) == []


def test_a_real_server_sends_events_as_they_happen_and_ends_its_streams_at_sigterm(
    stage: Stage, processes: Processes
) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    served = processes.keystroke("api", settings=replace(stage.settings, listen=listen, broker_url=NO_BROKER))
    served.wait_for("listens on")
    lease = stage.start_and_claim()
    transport = httpx.HTTPTransport(retries=20)  # until it listens
    with (
        httpx.Client(transport=transport, timeout=20) as client,
        client.stream("GET", f"http://{listen}/api/v1/runs/{lease.run_id}/events") as answer,
    ):
        lines = (line for line in answer.iter_lines() if line.startswith("event:"))
        assert [next(lines) for _ in range(2)] == ["event: status"] * 2
        log(stage, lease, "as it happens")
        assert next(lines) == "event: log"
        served.send(signal.SIGTERM)
        assert list(lines) == []
    assert served.wait(15) == 0
