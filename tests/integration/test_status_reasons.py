"""Why a run is where it is: the reason computed when it is read, and the sentence of its own page; on either database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystroke.domain.outcome import Suspended
from keystroke.domain.sentences import sentence_of
from keystroke.domain.standing import MOST_AHEAD, Standing
from keystroke.domain.states import Reason
from keystroke.operations.fleet_state import stop_worker
from keystroke.store.sql import Sql
from support.api import Api
from support.limited import limited, paced
from support.starts import GREET, publish

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RECORD = {
    "queue": "reports", "queued_at": "2026-11-23T12:00:00.000000Z", "failures": 1, "recoveries": 0, "attempt": 1,
    "cancel_requested_at": None,
}  # fmt: skip


@pytest.fixture
def api(api: Api) -> Api:
    """With workflows that have limits."""
    stage = api.stage
    stage.project = publish(
        stage.database,
        GREET,
        limited("four", 2),
        limited("all-alike", 1, key=None),
        paced("rated", 1, 90),
        digest="two",
    )
    deployment_id = stage.project.current_deployment_id or ""
    stage.claimant = replace(stage.another_worker(), deployment_id=deployment_id)
    return api


def told(api: Api, run_id: str) -> tuple[str, str]:
    """The reason and the sentence of a run."""
    document: Any = api.get(f"/runs/{run_id}").json
    listed: Any = api.get(f"/runs?q={run_id}").json
    assert listed["data"][0]["status_reason"] == document["status_reason"], "lists say the same"
    return document["status_reason"], document["status_detail"]


def test_a_run_of_a_full_key_says_how_full_it_is(api: Api) -> None:
    runs = [api.stage.start("four", {"name": "acme"}).run_id for _ in range(5)]
    assert api.stage.claim() is not None
    assert told(api, runs[1]) == (
        "waiting_for_worker",
        "Queued: waiting for a free worker that serves the queue default, next in line.",
    )
    assert api.stage.claim() is not None
    for place, ahead in ((2, "next in line"), (4, "2 ahead")):
        expected = ("waiting_for_concurrency", f"Queued: 2 of 2 for name acme are running, {ahead}.")
        assert told(api, runs[place]) == expected, "before anybody has looked at it"
    assert api.stage.claim() is None
    assert told(api, runs[4]) == expected, "and when it is parked"


def test_a_limit_without_a_key_is_the_workflows(api: Api) -> None:
    api.stage.start_and_claim("all-alike")
    run_id = api.stage.start("all-alike").run_id
    assert told(api, run_id)[1] == "Queued: 1 of 1 are running, next in line."


def test_a_run_of_a_rate_that_is_used_up_says_which(api: Api) -> None:
    api.stage.start_and_claim("rated")
    run_id = api.stage.start("rated").run_id
    assert api.stage.claim() is None
    assert told(api, run_id) == (
        "waiting_for_rate_limit",
        "Queued: the rate of 1 in 1 min 30 s is used up, next in line.",
    )


def test_a_run_says_what_is_wrong_with_its_queue(api: Api) -> None:
    run_id = api.stage.start().run_id
    later = api.stage.start(run_at=datetime.now(UTC) + timedelta(hours=1)).run_id
    with api.stage.database.transaction() as tx:
        workers = [row.id for row in tx.rows(Sql("select id from workers"))]
    for worker in workers:
        stop_worker(api.stage.database, worker)
    assert told(api, run_id) == ("waiting_for_worker", "Queued: no worker serves the queue default.")
    api.post("/queues/default/pause")
    assert told(api, run_id) == ("queue_paused", "Queued: the queue default is paused, next in line.")
    assert told(api, later)[0] == "scheduled"


def test_a_sleeper_says_until_when(api: Api) -> None:
    lease = api.stage.start_and_claim()
    api.stage.finish(lease, Suspended(Reason.SLEEP, timedelta(days=2)))
    reason, sentence = told(api, lease.run_id)
    assert reason == "sleep"
    day = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    assert sentence.startswith(f"Sleeping until {day}")


@pytest.mark.parametrize(
    ("status", "reason", "standing", "sentence"),
    [
        ("queued", Reason.WAITING_FOR_CONCURRENCY, Standing(NOON, shared="customer acme", running=4, limit=4, ahead=2),
         "Queued: 4 of 4 for customer acme are running, 2 ahead."),
        ("queued", Reason.WAITING_FOR_CONCURRENCY, Standing(NOON, running=4, limit=4, ahead=MOST_AHEAD + 1),
         "Queued: 4 of 4 are running, more than 1,000 ahead."),
        ("queued", Reason.WAITING_FOR_RATE_LIMIT,
         Standing(NOON, shared="team ops", rate=10, per=timedelta(minutes=1), ahead=1),
         "Queued: the rate of 10 in 1 min 0 s for team ops is used up, 1 ahead."),
        ("queued", Reason.WAITING_FOR_WORKER, Standing(NOON), "Queued: no worker serves the queue reports."),
        ("sleeping", Reason.RETRY_BACKOFF, Standing(NOON, due=NOON + timedelta(seconds=12)),
         "Retrying in 12 s, after a failure."),
        ("sleeping", Reason.RETRY_BACKOFF, Standing(NOON, due=NOON), "Retrying now, after a failure."),
        ("sleeping", Reason.SLEEP, Standing(NOON, due=NOON), "Sleeping until 2026-11-23 12:00:00.000 UTC."),
        ("waiting_on_hook", Reason.HOOK, Standing(NOON, hooks=("approval",)), "Waiting on hook approval."),
        ("waiting_on_hook", Reason.HOOK, Standing(NOON, hooks=("approval", "photo"), due=NOON),
         "Waiting on hooks approval, photo, until 2026-11-23 12:00:00.000 UTC."),
        ("sleeping", Reason.CHILD_RUNS, Standing(NOON, children=3), "Waiting for 3 child runs."),
        ("sleeping", Reason.CHILD_RUNS, Standing(NOON, children=1), "Waiting for 1 child run."),
        ("sleeping", Reason.SLEEP, None, "Sleeping until the time its code asked for."),
        ("running", None, None, "Running for 1.5 s, attempt 1."),
    ],
)  # fmt: skip
def test_a_waiting_run_is_told_in_one_sentence(
    status: str, reason: Reason | None, standing: Standing | None, sentence: str
) -> None:
    assert sentence_of({**RECORD, "status": status, "status_reason": reason}, 1500, standing) == sentence
