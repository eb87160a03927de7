"""Replaying over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Failed
from keystroke.domain.states import Reason
from support.api import Api, assert_problem
from support.replays import Recorder


@pytest.fixture
def source(api: Api) -> str:
    """A run whose second step failed."""
    lease = api.stage.start_and_claim()
    recorder = Recorder(api.stage, lease)
    recorder.step("charge#0")
    recorder.step("mail#0", "failed", error=Failure("Bounced", "no such address").as_json())
    api.stage.finish(lease, Failed(Failure("Bounced", "no such address", step="mail#0"), Reason.USER_ERROR))
    return lease.run_id


def test_a_replay_is_answered_like_a_start(api: Api, source: str) -> None:
    answer = api.post(f"/runs/{source}/replay")
    document: Any = answer.json
    assert (answer.status_code, document["status"]) == (202, "queued")
    assert answer.headers["Location"] == document["url"]
    run: Any = api.get(f"/runs/{document['run_id']}?include=steps").json
    assert (run["replay_of"], run["input"], run["steps"]) == (source, {"name": "Ada"}, [])
    assert (run["trigger"]["type"], run["trigger"]["value"]) == ("replay", f"replay:{source}")
    assert api.ids("trigger=replay") == [run["id"]]


@pytest.mark.parametrize("from_step", ["mail#0", "failed"])
def test_from_a_step_with_another_input(api: Api, source: str, from_step: str) -> None:
    body = {"from_step": from_step, "input": {"name": "Bob"}}
    document: Any = api.post(f"/runs/{source[:20]}/replay", json=body).json
    run: Any = api.get(f"/runs/{document['run_id']}?include=steps").json
    assert [(step["identity"], step["copied_from"]) for step in run["steps"]] == [("charge#0", source)]
    assert run["input"] == {"name": "Bob"}


def test_null_is_an_input(api: Api, source: str) -> None:
    assert_problem(api.post(f"/runs/{source}/replay", json={"input": None}), 422, "invalid-input")


def test_an_unknown_step_is_named_with_those_there_are(api: Api, source: str) -> None:
    problem = assert_problem(
        api.post(f"/runs/{source}/replay", json={"from_step": "mial#0"}), 422, "step-not-found"
    )
    assert "Did you mean mail#0?" in problem["detail"]


def test_what_cannot_be_replayed_is_a_problem(api: Api, source: str) -> None:
    assert_problem(api.post("/runs/run_01jd3v5w0gf8tbm5zbbdb40jyq/replay"), 404, "run-not-found")
    assert_problem(api.post(f"/runs/{source}/replay", json={"from": "x"}), 422, "invalid-request")
    assert_problem(api.post(f"/runs/{source}/replay", json={"from_step": "a\x00"}), 422, "invalid-request")
    assert_problem(api.post(f"/runs/{source}/replay", json=[]), 422, "invalid-request")
    assert len(api.ids("")) == 1


def test_a_viewer_may_not_replay(api: Api, source: str) -> None:
    headers = api.key("viewer")
    assert_problem(api.post(f"/runs/{source}/replay", headers=headers), 403, "role-too-low")
    assert api.post(f"/runs/{source}/replay", headers=api.key("runner")).status_code == 202


def test_the_same_key_gives_the_same_replay(api: Api, source: str) -> None:
    first, second = (
        api.post(f"/runs/{source}/replay", headers={"Idempotency-Key": "once"}) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json["run_id"] == second.json["run_id"]  # type: ignore[index]
    other = api.post(
        f"/runs/{source}/replay", headers={"Idempotency-Key": "once"}, json={"from_step": "mail#0"}
    )
    assert_problem(other, 422, "idempotency-conflict")
