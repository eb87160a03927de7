"""Queues that are paused and resumed, workers that are drained: the tables, the API, the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystroke.domain.states import Reason
from keystroke.operations.fleet_state import beat_heart
from keystroke.store.sql import Sql
from support.api import Api, assert_problem
from support.limited import limited
from support.starts import GREET, publish

_AUDIT = Sql("select action, target from audit_log order by id")


def queue(api: Api, name: str = "default", **options: Any) -> dict[str, Any]:
    document: Any = api.get("/queues", **options).json
    found: dict[str, Any] = next(each for each in document["data"] if each["name"] == name)
    return found


def test_a_paused_queue_starts_nothing_until_it_is_resumed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, woken = api.stage, []
    monkeypatch.setattr(api.services.wakeups, "wake", lambda *queue: woken.append(queue))
    lease = stage.start_and_claim()
    waiting = stage.start()
    paused = api.post("/queues/default/pause")
    assert (paused.status_code, paused.json["paused_at"] is not None) == (200, True)
    assert api.post("/queues/default/pause").json["paused_at"] == paused.json["paused_at"], "harmless"
    assert stage.claim() is None
    assert stage.run(waiting.run_id).status_reason is Reason.QUEUE_PAUSED
    assert stage.finish(lease).won, "what runs goes on"

    assert api.post("/queues/default/resume").json["paused_at"] is None
    assert woken == [(stage.project.id, "default")]
    assert stage.claim() is not None
    with stage.database.read() as tx:
        written = [(row.action, row.target) for row in tx.rows(_AUDIT)]
    assert written == [("queue.pause", "demo/default"), ("queue.resume", "demo/default")]


def test_a_queue_tells_what_waits_in_it_but_not_what_is_scheduled(api: Api) -> None:
    stage = api.stage
    stage.project = publish(stage.database, GREET, limited("one", 1), digest="two")
    stage.claimant = stage.another_worker()
    for _ in range(3):
        stage.start("one")
    stage.start(run_at=datetime.now(UTC) + timedelta(hours=1))
    found = queue(api)
    assert (found["depth"], found["limited"], found["workers"], found["places"]) == (3, 0, 2, 2)
    assert found["oldest_queued_at"] is not None
    assert 0 <= found["oldest_ms"] < 60_000


def test_the_queues_are_those_that_somebody_names(api: Api) -> None:
    stage = api.stage
    stage.project = publish(
        stage.database, GREET, limited("one", 1, queue="reports"), digest="two", project="demo"
    )
    names = [each["name"] for each in api.get("/queues?project=demo").json["data"]]
    assert names == ["default", "reports"]
    assert queue(api, "reports")["workers"] == 0
    assert_problem(api.post("/queues/report/pause"), 404, "queue-not-found")
    assert_problem(api.get("/queues?project=nowhere"), 404)
    assert_problem(api.post("/queues/default/pause", headers=api.key("runner")), 403)


def test_a_worker_that_is_to_drain_learns_it_with_its_heartbeat(api: Api) -> None:
    stage = api.stage
    lease = stage.start_and_claim()
    worker_id = stage.claimant.worker_id
    [listed] = api.get("/workers").json["data"]
    assert (listed["id"], listed["state"], listed["running"], listed["queues"]) == (
        worker_id,
        "alive",
        1,
        ["default"],
    )
    held = [(lease.run_id, lease.attempt)]
    assert not beat_heart(stage.database, worker_id, held, 10).draining
    drained = api.post(f"/workers/{worker_id}/drain")
    assert (drained.status_code, drained.json["state"]) == (202, "draining")
    assert api.post(f"/workers/{worker_id}/drain").status_code == 202, "harmless"
    heartbeat = beat_heart(stage.database, worker_id, held, 10)
    assert (heartbeat.alive, heartbeat.draining) == (True, True)
    with stage.database.read() as tx:
        assert [row.action for row in tx.rows(_AUDIT)] == ["worker.drain"]


def test_a_worker_that_is_not_there_is_not_drained(api: Api) -> None:
    assert_problem(api.post("/workers/wrk_nobody/drain"), 404, "worker-not-found")
    with api.stage.database.transaction() as tx:
        tx.run(Sql("update workers set state = 'stopped'"))
    assert_problem(api.post(f"/workers/{api.stage.claimant.worker_id}/drain"), 409, "worker-ended")
