"""A run's life in the store, move by move, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.domain.failure import Failure
from keystroke.domain.filters import Page, RunFilter
from keystroke.domain.outcome import Canceled, Completed, Failed, HandedBack, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.domain.usage import UsageItem, exact
from keystroke.errors import (
    AmbiguousRunId,
    IdempotencyConflict,
    InvalidInput,
    LeaseLost,
    PayloadTooLarge,
    QueryTooSlow,
    RunEnded,
    RunNotFound,
    WorkflowNotFound,
)
from keystroke.operations.admit_run import admit_run
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.claim_run import claim_run
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.read_journal import read_journal
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_step import note_running_steps, record_step
from keystroke.operations.record_tags import record_tags
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.start_run import StartRequest, start_runs
from keystroke.operations.wake_due import wake_due
from keystroke.store import history
from keystroke.store.sql import Sql
from support.starts import GREET, Stage, publish

FAILURE = Failure("ValueError", "no such card")


def step(identity: str = "charge#0", status: StepStatus = StepStatus.SUCCESS, **changes: object) -> Step:
    now = datetime.now(UTC)
    made = Step(
        identity,
        identity.split("#", maxsplit=1)[0],
        "Charge",
        StepKind.ACTION,
        status,
        1,
        "d1",
        now,
        now,
        {"amount": 3},
        {"ok": True},
    )
    return replace(made, **changes)


def test_a_run_is_started_claimed_and_finished(stage: Stage) -> None:
    started = stage.start(tags={"customer": "acme"})
    assert (started.status, started.created, started.due) == (Status.QUEUED, True, True)
    queued = stage.run(started.run_id)
    assert (queued.status, queued.status_reason, queued.attempt) == (
        Status.QUEUED,
        Reason.WAITING_FOR_WORKER,
        0,
    )

    lease = stage.claim()
    assert lease is not None
    assert (lease.run_id, lease.attempt, lease.input, lease.admitted) == (
        started.run_id,
        1,
        {"name": "Ada"},
        False,
    )
    assert stage.claim() is None
    assert stage.run(lease.run_id).status is Status.RUNNING

    admit_run(stage.database, lease, {"name": "Ada", "email": "ada@example.com"}, stage.settings)
    finished = stage.finish(lease)
    assert (finished.won, finished.status) == (True, Status.SUCCESS)
    run = stage.run(lease.run_id)
    assert run.output == {"greeting": "hello"}
    assert run.input == {"name": "Ada", "email": "ada@example.com"}
    assert run.tags == {"customer": "acme"}
    assert run.active_ms == 5
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.expires_at is not None
    assert run.created_at <= run.started_at <= run.finished_at < run.expires_at
    with stage.database.read() as tx:
        timeline = history.list_timeline(stage.scope, tx, lease.run_id)
        attempts = history.list_attempts(stage.scope, tx, lease.run_id)
    assert [entry.transition for entry in timeline] == ["create", "claim", "complete"]
    assert [(each.number, each.worker, each.ended) for each in attempts] == [(1, lease.worker_id, "complete")]


def test_finish_claims_the_next_run_in_the_same_breath(stage: Stage) -> None:
    first, second = stage.start(), stage.start()
    lease = stage.claim()
    assert lease is not None
    assert (lease.run_id, lease.more) == (first.run_id, True)
    finished = finish_attempt(
        stage.database, lease, Completed(1), timedelta(0), stage.settings, stage.claimant
    )
    assert finished.next is not None
    assert (finished.next.run_id, finished.next.more) == (second.run_id, False)


def test_higher_priority_first_then_the_older(stage: Stage) -> None:
    low, high, middle = stage.start(priority=-1), stage.start(priority=5), stage.start()
    claimed = [lease.run_id for lease in iter(stage.claim, None)]
    assert claimed == [high.run_id, middle.run_id, low.run_id]


def test_a_run_of_tomorrow_is_not_claimed(stage: Stage) -> None:
    started = stage.start(run_at=datetime.now(UTC) + timedelta(days=1))
    assert not started.due
    assert stage.claim() is None
    assert stage.run(started.run_id).status_reason is Reason.SCHEDULED


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "$"),
        ({"name": 3}, "$.name"),
        ({"name": "Ada", "email": "nowhere"}, "$.email"),
        ([], "$"),
        (None, "$"),
    ],
)
def test_input_that_breaks_the_schema_starts_nothing(stage: Stage, value: object, path: str) -> None:
    request = StartRequest("greet", value, Trigger("api", "API"), LOCAL_OWNER)
    [refused] = start_runs(stage.database, stage.project, [request], stage.settings, stage.box)
    assert isinstance(refused, InvalidInput)
    assert refused.errors[0].path == path
    assert stage.claim() is None


def test_too_large_and_unknown_are_refused(stage: Stage) -> None:
    with pytest.raises(PayloadTooLarge):
        stage.start(value={"name": "x" * stage.settings.payload_limit})
    with pytest.raises(WorkflowNotFound, match="Did you mean greet"):
        stage.start("gret")


def test_an_idempotency_key_gives_the_same_run_or_a_conflict(stage: Stage) -> None:
    first = stage.start(idempotency_key="k1")
    again = stage.start(idempotency_key="k1")
    assert (again.run_id, again.created) == (first.run_id, False)
    with pytest.raises(IdempotencyConflict):
        stage.start(value={"name": "Grace"}, idempotency_key="k1")
    assert stage.start(idempotency_key="k2").run_id != first.run_id


def test_a_batch_reports_each_item(stage: Stage) -> None:
    def request(value: object, key: str | None = None) -> StartRequest:
        return StartRequest("greet", value, Trigger("api", "API"), LOCAL_OWNER, idempotency_key=key)

    good, bad, doubled = start_runs(
        stage.database,
        stage.project,
        [request({"name": "Ada"}, "k"), request({"name": None}), request({"name": "Ada"}, "k")],
        stage.settings,
        stage.box,
    )
    assert not isinstance(good, Exception)
    assert not isinstance(doubled, Exception)
    assert isinstance(bad, InvalidInput)
    assert (doubled.run_id, doubled.created) == (good.run_id, False)


def test_a_failure_is_recorded_with_its_fingerprint(stage: Stage) -> None:
    lease = stage.start_and_claim()
    assert stage.finish(lease, Failed(FAILURE, Reason.USER_ERROR)).status is Status.FAILED
    run = stage.run(lease.run_id)
    assert (run.status_reason, run.failures) == (Reason.USER_ERROR, 1)
    assert run.error is not None
    assert (run.error["message"], run.error["fingerprint"]) == ("no such card", FAILURE.fingerprint)


def test_failures_are_tried_again_up_to_max_attempts(stage: Stage) -> None:
    stage.start("retried")
    for failures in (1, 2):
        lease = stage.claim()
        assert lease is not None
        assert stage.finish(lease, Failed(FAILURE, Reason.USER_ERROR)).status is Status.SLEEPING
        run = stage.run(lease.run_id)
        assert (run.status_reason, run.failures) == (Reason.RETRY_BACKOFF, failures)
        rested(stage)
    lease = stage.claim()
    assert lease is not None
    assert lease.attempt == 3
    assert stage.finish(lease, Failed(FAILURE, Reason.USER_ERROR)).status is Status.FAILED


def rested(stage: Stage) -> None:
    """Make every sleeper due, and wake it."""
    with stage.database.transaction() as tx:
        tx.run(Sql("update runs set due_at = 0 where status = 'sleeping'"))
    assert wake_due(stage.database) == {(stage.project.id, "default")}


def test_invalid_input_is_never_tried_again(stage: Stage) -> None:
    lease = stage.start_and_claim("retried")
    assert stage.finish(lease, Failed(FAILURE, Reason.INVALID_INPUT, counts=False)).status is Status.FAILED


def test_a_suspended_run_sleeps_until_it_is_due(stage: Stage) -> None:
    lease = stage.start_and_claim()
    assert stage.finish(lease, Suspended(Reason.RETRY_BACKOFF, timedelta(hours=1))).status is Status.SLEEPING
    assert wake_due(stage.database) == set()
    assert stage.claim() is None
    rested(stage)
    again = stage.claim()
    assert again is not None
    assert (again.run_id, again.attempt, again.active) == (lease.run_id, 2, timedelta(milliseconds=5))


def test_a_run_handed_back_costs_nothing(stage: Stage) -> None:
    lease = stage.start_and_claim()
    assert stage.finish(lease, HandedBack()).status is Status.QUEUED
    again = stage.claim()
    assert again is not None
    assert (again.attempt, again.failures) == (2, 0)
    assert stage.run(lease.run_id).recoveries == 0


def test_steps_are_recorded_once_and_read_back(stage: Stage) -> None:
    lease = stage.start_and_claim()
    item = UsageItem("model", "small-1", exact(1500, "q"), "token", exact("0.0042", "c"), "USD", "charge#0")
    note_running_steps(stage.database, lease, [step(status=StepStatus.RUNNING, output=None)], stage.settings)
    assert read_journal(stage.database, lease) == []
    record_step(stage.database, lease, step(), stage.settings, [item])
    note_running_steps(stage.database, lease, [step(status=StepStatus.RUNNING)], stage.settings)
    [recorded] = read_journal(stage.database, lease)
    assert (recorded.status, recorded.output, recorded.input) == (
        StepStatus.SUCCESS,
        {"ok": True},
        {"amount": 3},
    )
    with pytest.raises(LeaseLost):
        record_step(stage.database, lease, step(output={"ok": False}), stage.settings)
    stage.finish(lease)
    run = stage.run(lease.run_id)
    assert run.step_count == 1
    assert [line.as_json()["cost"] for line in run.usage] == ["0.0042"]
    assert run.usage[0].quantity == 1500


def test_a_stale_attempt_changes_nothing(stage: Stage) -> None:
    stale = stage.start_and_claim()
    recovered = recover_attempt(stage.database, stale.run_id, stale.attempt, stage.settings)
    assert recovered is not None
    assert recovered.status is Status.QUEUED
    assert recover_attempt(stage.database, stale.run_id, stale.attempt, stage.settings) is None
    current = stage.claim()
    assert current is not None
    assert current.attempt == 2
    with pytest.raises(LeaseLost):
        record_step(stage.database, stale, step(), stage.settings)
    with pytest.raises(LeaseLost):
        admit_run(stage.database, stale, {"name": "Eve"}, stage.settings)
    with pytest.raises(LeaseLost):
        record_progress(stage.database, stale, 0.5, None)
    with pytest.raises(LeaseLost):
        record_tags(stage.database, stale, {"a": "b"})
    assert not stage.finish(stale, Completed("stale")).won
    assert stage.finish(current).won
    run = stage.run(stale.run_id)
    assert (run.output, run.recoveries, run.step_count) == ({"greeting": "hello"}, 1, 0)


def test_the_recovery_budget_ends_a_poison_run(stage: Stage) -> None:
    stage.start()
    statuses = []
    for _ in range(stage.settings.recovery_budget + 1):
        lease = stage.claim()
        assert lease is not None
        recovered = recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
        assert recovered is not None
        statuses.append(recovered.status)
    assert statuses == [Status.QUEUED] * stage.settings.recovery_budget + [Status.FAILED]
    run = stage.run(lease.run_id)
    assert (run.status_reason, run.recoveries) == (Reason.WORKER_LOST, stage.settings.recovery_budget + 1)


def cancel(stage: Stage, run_id: str) -> Status:
    return cancel_run(stage.database, stage.scope, run_id, LOCAL_OWNER, stage.settings).status


def test_a_queued_run_is_canceled_at_once(stage: Stage) -> None:
    started = stage.start()
    assert cancel(stage, started.run_id) is Status.CANCELED
    assert stage.claim() is None
    with pytest.raises(RunEnded):
        cancel(stage, started.run_id)
    with pytest.raises(RunNotFound):
        cancel(stage, "run_nowhere")


@pytest.mark.parametrize(
    "outcome", [Completed(1), Failed(FAILURE, Reason.USER_ERROR), HandedBack(), Canceled()]
)
def test_a_running_run_ends_canceled_whatever_its_code_comes_to(stage: Stage, outcome: object) -> None:
    lease = stage.start_and_claim("retried")
    assert cancel(stage, lease.run_id) is Status.RUNNING
    assert cancel(stage, lease.run_id) is Status.RUNNING
    assert stage.finish(lease, outcome).status is Status.CANCELED  # type: ignore[arg-type]
    run = stage.run(lease.run_id)
    assert (run.status_reason, run.output, run.error) == (Reason.CANCELED_BY_USER, None, None)
    with stage.database.read() as tx:
        last = history.list_timeline(stage.scope, tx, lease.run_id)[-1]
    assert last.actor == LOCAL_OWNER


def test_a_lost_run_that_was_to_be_canceled_is_canceled_by_recovery(stage: Stage) -> None:
    lease = stage.start_and_claim()
    cancel(stage, lease.run_id)
    recovered = recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
    assert recovered is not None
    assert recovered.status is Status.CANCELED


def test_a_started_run_stays_with_its_code_while_that_is_alive(stage: Stage) -> None:
    lease = stage.start_and_claim()
    newer = publish(stage.database, GREET, digest="two")
    other = replace(stage.another_worker(), deployment_id=newer.current_deployment_id or "")
    stage.finish(lease, HandedBack())
    assert claim_run(stage.database, other) is None
    assert stage.claim() is not None


def test_lists_filter_and_page(stage: Stage) -> None:
    ids = [stage.start(tags={"n": str(number)}).run_id for number in range(5)]
    lease = stage.claim()
    assert lease is not None
    stage.finish(lease, Failed(FAILURE, Reason.USER_ERROR))

    def found(page: Page | None = None, **wanted: object) -> list[str]:
        with stage.database.read() as tx:
            listed = history.list_runs(stage.scope, tx, RunFilter(**wanted), page or Page())  # type: ignore[arg-type]
        return [run.id for run in listed.runs]

    assert found() == ids[::-1]
    assert found(Page(limit=2)) == [ids[4], ids[3]]
    assert found(Page(limit=2, before=ids[3])) == [ids[2], ids[1]]
    assert found(status=("failed", "canceled")) == [ids[0]]
    assert found(tag=(("n", "1"), ("n", "3"))) == [ids[3], ids[1]]
    assert found(error=(FAILURE.fingerprint,)) == [ids[0]]
    assert found(q="CARD") == [ids[0]]
    assert found(q=ids[2][:-1]) == [each for each in ids[::-1] if each.startswith(ids[2][:-1])]
    assert found(q="100%") == []
    assert found(workflow=("nothing",)) == found(project=("elsewhere",)) == found(min_steps=1) == []
    assert found(since=datetime.now(UTC) + timedelta(minutes=1)) == []
    assert found(trigger=("api",), kind=("workflow",), actor=("local",), max_duration=3_600_000) == [ids[0]]


def test_run_ids_may_be_shortened(stage: Stage) -> None:
    first, _ = stage.start().run_id, stage.start().run_id
    with stage.database.read() as tx:
        assert history.find_run_id(stage.scope, tx, first) == first
        with pytest.raises(AmbiguousRunId):
            history.find_run_id(stage.scope, tx, "run_")
        with pytest.raises(RunNotFound):
            history.find_run_id(stage.scope, tx, "run_zzz")


def test_other_organizations_see_nothing(stage: Stage) -> None:
    started = stage.start()
    stranger = replace(stage.scope, organization_id="org_other")
    with stage.database.read() as tx:
        assert history.list_runs(stranger, tx, RunFilter(), Page()).runs == []
        assert history.list_statuses(stranger, tx, [started.run_id]) == {}
        assert history.list_steps(stranger, tx, started.run_id) == []
        with pytest.raises(RunNotFound):
            history.get_run(stranger, tx, started.run_id)
        blind = replace(stage.scope, payloads=False)
        assert history.get_run(blind, tx, started.run_id).input is None


def test_a_list_that_takes_too_long_is_ended(stage: Stage) -> None:

    endless = {
        "sqlite": "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n",
        "postgresql": "select pg_sleep(60)",
    }
    with pytest.raises(QueryTooSlow), stage.database.read() as tx, tx.limited(0.05):
        tx.rows(Sql(endless[stage.database.backend]))
    assert stage.start().created
