"""Starts that a limit decides on, over HTTP: what the caller is told, and who else has to hear of it."""

from __future__ import annotations

from typing import Any

import pytest

from keystroke.domain.states import Status
from support.api import Api
from support.limited import limited
from support.starts import publish

_RUNS = "/projects/demo/workflows/{}/runs"
_ADA = {"input": {"name": "Ada"}}


@pytest.fixture
def told(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was told to workers: (project id, queue) of a wake, (worker, run, attempt) of a cancel."""
    stage, told = api.stage, []
    stage.project = publish(
        stage.database, limited("skipped", 1, "skip"), limited("replaced", 1, "replace"), digest="two"
    )
    stage.claimant = stage.another_worker()
    monkeypatch.setattr(api.services.wakeups, "wake", lambda *queue: told.append(queue))
    monkeypatch.setattr(api.services.control, "cancel", lambda *whom: told.append(whom))
    return told


def test_a_start_that_is_skipped_is_recorded_and_wakes_nobody(api: Api, told: list[Any]) -> None:
    first = api.post(_RUNS.format("skipped"), json=_ADA)
    assert (first.status_code, first.json["status"]) == (202, "queued")
    assert told == [(api.stage.project.id, "default")]
    second = api.post(_RUNS.format("skipped"), json=_ADA)
    assert (second.status_code, second.json["status"]) == (202, "canceled")
    assert len(told) == 1
    document: Any = api.get(f"/runs/{second.json['run_id']}").json
    assert document["status_reason"] == "concurrency_skipped"
    waited = api.post(_RUNS.format("skipped"), json=_ADA, headers={"Prefer": "wait=5"})
    assert (waited.status_code, waited.json["status"]) == (200, "canceled"), "it has ended already"


def test_the_worker_of_a_run_that_is_replaced_is_told_at_once(api: Api, told: list[Any]) -> None:
    lease = api.stage.start_and_claim("replaced", value=_ADA["input"])
    started = api.post(_RUNS.format("replaced"), json=_ADA)
    assert (started.status_code, started.json["status"]) == (202, "queued")
    assert told == [(lease.worker_id, lease.run_id, lease.attempt), (api.stage.project.id, "default")]
    assert api.stage.finish(lease).status is Status.CANCELED


def test_in_a_batch_each_item_sees_those_before_it(api: Api, told: list[Any]) -> None:
    items = {"runs": [_ADA, {"input": {"name": "Bob"}}, _ADA, {"input": {}}]}
    skipped: Any = api.post(_RUNS.format("skipped") + ":batch", json=items).json
    assert [each["status"] for each in skipped["data"]] == ["queued", "queued", "canceled", 422]
    replaced: Any = api.post(_RUNS.format("replaced") + ":batch", json=items).json
    assert [each["status"] for each in replaced["data"]] == ["canceled", "queued", "queued", 422]
    first: Any = api.get(f"/runs/{replaced['data'][0]['run_id']}").json
    assert first["status_reason"] == "concurrency_replaced"
    assert set(told) == {(api.stage.project.id, "default")}
