"""The API and what it stands on: workers are woken and told, and a broker or database that is away costs what it must."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from keystroke.settings import Settings
from keystroke.store import Database
from support.api import RUNS, Api, assert_problem, open_api
from support.servers import PostgreSQL, Valkey
from support.starts import GREET, Stage, make_stage
from support.waiting import wait_until


@pytest.fixture
def woken(stage: Stage, broker_url: str) -> Iterator[Api]:
    """An app with a broker."""
    opened = open_api(stage, broker_url=broker_url)
    yield opened
    opened.services.close()


@pytest.fixture
def broker(valkey_server: Valkey) -> Iterator[redis.Redis]:
    """The test's own connection to the broker."""
    with valkey_server.client() as client:
        yield client


def wakes(broker: redis.Redis, api: Api) -> int:
    """Whether the project's queue was woken; forgotten by asking."""
    deleted: int = broker.delete(f"keystroke:wake:{api.stage.project.id}:default")  # type: ignore[assignment]
    return deleted


def test_a_start_wakes_a_worker(woken: Api, broker: redis.Redis) -> None:
    for path, body in (
        (RUNS, {"input": {"name": "Ada"}}),
        ("/workflows/greet", {"name": "Ada"}),
        (f"{RUNS}:batch", {"runs": [{"input": {"name": "Ada"}}]}),
    ):
        assert woken.client.post(path, json=body).status_code in (200, 202)
        assert wait_until(lambda: wakes(broker, woken), what=f"{path} wakes")


def test_nothing_is_woken_for_what_may_not_run_yet_or_was_started_before(
    woken: Api, broker: redis.Redis
) -> None:
    woken.client.post(RUNS, json={"input": {"name": "Ada"}}, headers={"Idempotency-Key": "k"})
    assert wait_until(lambda: wakes(broker, woken))
    woken.client.post(RUNS, json={"input": {"name": "Ada"}}, headers={"Idempotency-Key": "k"})
    woken.client.post(RUNS, json={"input": {"name": "Ada"}, "run_at": "2999-01-01T00:00:00Z"})
    woken.client.post(RUNS, json={"input": 3})
    woken.services.wakeups.close()  # sends what waits
    assert not wakes(broker, woken)


def test_a_cancel_of_a_running_run_is_told_to_its_worker(woken: Api, broker: redis.Redis) -> None:
    lease = woken.stage.start_and_claim()
    with broker.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe("keystroke:cancel")
        wait_until(lambda: broker.pubsub_numsub("keystroke:cancel")[0][1] == 1)
        assert woken.post(f"/runs/{lease.run_id}/cancel").status_code == 202
        message = wait_until(lambda: channel.get_message(timeout=0.1))
    assert json.loads(message["data"]) == {
        "worker": lease.worker_id,
        "run": lease.run_id,
        "attempt": lease.attempt,
    }


def test_ready_while_everything_is_there(woken: Api) -> None:
    assert woken.client.get("/readyz").json == {"status": "ok", "database": "ok", "broker": "ok"}


def test_without_the_broker_starts_are_accepted(api: Api) -> None:
    assert api.start().status_code == 202
    assert api.client.get("/readyz").json == {"status": "degraded", "database": "ok", "broker": "degraded"}


def test_without_the_schema_it_is_not_ready(
    sqlite_settings: Settings, sqlite_database: Database, tmp_path: Path
) -> None:
    stage = make_stage(sqlite_database, sqlite_settings, GREET)
    api = open_api(stage, database_url=f"sqlite:///{tmp_path}/empty.db")
    document = assert_problem(api.client.get("/readyz"), 503, "not-ready")
    assert "db upgrade" in document["detail"]
    api.services.close()


def test_without_the_database_callers_are_told_when_to_come_back(
    postgresql_server: PostgreSQL,
    postgresql_database: Database,
    postgresql_settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = open_api(make_stage(postgresql_database, postgresql_settings, GREET))
    assert api.start().status_code == 202
    caplog.set_level(logging.WARNING, "keystroke")
    postgresql_server.stop()
    try:
        for answer in (
            api.start(),
            api.get("/runs"),
            api.post("/runs/run_00000000000000000000000000/cancel"),
        ):
            assert_problem(answer, 503, "database-unavailable")
            assert answer.headers["Retry-After"] == "2"
        assert_problem(api.client.get("/readyz"), 503, "not-ready")
        assert api.client.get("/healthz").status_code == 200
        assert "POST /api/v1/projects/demo/workflows/greet/runs was answered with 503" in caplog.text
        assert "Traceback" not in caplog.text, "an outage is no mistake: one line for each caller"
    finally:
        postgresql_server.start()
    assert api.start().status_code == 202
    assert api.client.get("/readyz").status_code == 200
    api.services.close()
