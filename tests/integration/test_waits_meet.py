"""A wait and what ends it meet on the run's row: whoever comes second sees what the first did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from keystroke.domain import states
from keystroke.domain.actor import LOCAL_OWNER, SYSTEM
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.errors import HookExpired, LeaseLost
from keystroke.operations.answer_hook import answer_by_token, find_asking
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.create_hook import HookRequest, create_hook
from keystroke.operations.moving import move_run, move_runs
from keystroke.operations.read_journal import read_journal
from keystroke.operations.record_sleep import begin_sleep, end_sleep
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.settle_hook import Answered, Expired, Unanswered, settle_hook
from keystroke.operations.wake_due import wake_due
from keystroke.store import answers, cancels, history, hooks, runs, waits, wakes
from keystroke.store.answers import Answer
from keystroke.store.runs import Changes
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.starts import Stage

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_SLEEP = Step("sleep#0", "sleep", "Sleep", StepKind.SLEEP, StepStatus.RUNNING, 1, "d1", _NOW)
_HOOK = Step("hook:go#0", "hook:go", "go", StepKind.HOOK, StepStatus.RUNNING, 1, "d2", _NOW)
_TIMED_OUT = Step(
    "hook:go#0", "hook:go", "go", StepKind.HOOK, StepStatus.FAILED, 1, "d2", _NOW, _NOW, error={"type": "HookTimeout"}
)  # fmt: skip


def _ask(stage: Stage, lease: Lease, timeout: timedelta | None = None) -> tuple[str, str]:
    """A hook on record: its id and its token."""
    token = stage.box.hook_token(lease.run_id, _HOOK.identity)
    request = HookRequest("go", token, stage.box.key_id, {}, timeout, one_click=False)
    step = create_hook(stage.database, lease, _HOOK, request, stage.settings)
    return step.input["hook"], token


def _timeline(stage: Stage, run_id: str) -> list[str]:
    with stage.database.read() as tx:
        return [entry.transition for entry in history.list_timeline(stage.scope, tx, run_id)]


def _events(stage: Stage) -> int:
    with stage.database.read() as tx:
        return int(tx.value(Sql("select sum(events) from runs")))


def test_a_run_that_comes_to_rest_while_it_is_answered_goes_on(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    lease = stage.start_and_claim()
    hook_id, token = _ask(stage, lease)
    with stage.database.transaction() as tx:
        asking = answers.lock_hook(tx, find_asking(stage.database, token))
        assert asking is not None
        assert asking.hook.awaited is False
        assert answers.put_answer(tx, hook_id, Answer("1", LOCAL_OWNER, None))
        waiting = Suspended(Reason.HOOK, None, (hook_id,))
        rested = blocked(stage.database, second, lambda: stage.finish(lease, waiting))
    assert rested.result().status is Status.QUEUED
    assert _timeline(stage, lease.run_id) == ["create", "claim", "wait_over"]


def test_an_answer_behind_a_run_that_comes_to_rest_wakes_it(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    hook_id, token = _ask(stage, lease)
    with stage.database.transaction() as tx:
        assert runs.lock(tx, lease.run_id, lease.attempt) is not None
        assert not waits.is_over(tx, (hook_id,), ())
        answered = blocked(
            stage.database,
            second,
            lambda: answer_by_token(stage.database, token, 1, None, stage.settings, stage.box),
        )
        waits.expect(tx, lease.run_id, (hook_id,), ())
        assert move_run(
            tx, states.AWAIT_HOOK, lease.run_id, actor=SYSTEM, attempt=lease.attempt, reason=Reason.HOOK,
            changes=Changes(delay_us=None),
        )  # fmt: skip
    assert answered.result().woken == ((lease.project_id, lease.queue),)
    assert _timeline(stage, lease.run_id) == ["create", "claim", "await_hook", "answer"]


def test_an_answer_behind_the_timeout_that_a_run_has_taken_is_refused(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    lease = stage.start_and_claim()
    _hook_id, token = _ask(stage, lease)
    with stage.database.transaction() as tx:
        assert runs.lock(tx, lease.run_id, lease.attempt) is not None
        hooks.expire(tx, lease.run_id, _HOOK.identity)
        answered = blocked(
            stage.database,
            second,
            lambda: answer_by_token(stage.database, token, 1, None, stage.settings, stage.box),
        )
    with pytest.raises(HookExpired):
        answered.result()


def test_an_answer_before_the_timeout_is_taken_counts(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    hook_id, token = _ask(stage, lease, timedelta(hours=1))
    assert isinstance(settle_hook(stage.database, lease, _TIMED_OUT, stage.settings), Unanswered)
    with stage.database.transaction() as tx:
        assert answers.lock_hook(tx, find_asking(stage.database, token)) is not None
        assert answers.put_answer(tx, hook_id, Answer("1", LOCAL_OWNER, None))
        settled = blocked(
            stage.database, second, lambda: settle_hook(stage.database, lease, _TIMED_OUT, stage.settings)
        )
    assert settled.result() == Answered(1)
    assert read_journal(stage.database, lease)[0].status is StepStatus.RUNNING


def test_a_timeout_is_recorded_once_for_hook_and_step(stage: Stage) -> None:
    lease = stage.start_and_claim()
    _ask(stage, lease, timedelta(0))
    for _ in range(2):
        assert settle_hook(stage.database, lease, _TIMED_OUT, stage.settings) == Expired()
    [step] = read_journal(stage.database, lease)
    assert step.status is StepStatus.FAILED


@pytest.mark.parametrize("what", ["sleep", "hook"])
def test_a_wait_after_the_recovery_is_refused(stage: Stage, second: ThreadPoolExecutor, what: str) -> None:
    lease = stage.start_and_claim()
    with stage.database.transaction() as tx:
        assert runs.lock(tx, lease.run_id, lease.attempt) is not None
        begun = blocked(
            stage.database,
            second,
            lambda: (
                begin_sleep(stage.database, lease, _SLEEP, timedelta(1), stage.settings)
                if what == "sleep"
                else _ask(stage, lease)
            ),
        )
        runs.move(tx, states.RECOVER, lease.run_id, actor=SYSTEM, attempt=lease.attempt)
    with pytest.raises(LeaseLost):
        begun.result()
    assert read_journal(stage.database, lease) == []
    with stage.database.read() as tx:
        assert answers.list_hooks(stage.scope, tx, status=None, limit=5) == []


def test_a_recovery_behind_a_wait_keeps_it(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    left = begin_sleep(stage.database, lease, _SLEEP, timedelta(hours=1), stage.settings)
    assert left is not None
    [begun] = read_journal(stage.database, lease)
    assert recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
    again = stage.claim()
    assert again is not None
    assert read_journal(stage.database, again) == [begun]
    # The write that was repeated because its answer was lost changes nothing either.
    begin_sleep(stage.database, again, _SLEEP, timedelta(hours=5), stage.settings)
    assert read_journal(stage.database, again)[0].due_at == begun.due_at
    assert end_sleep(stage.database, again, begun) is not None


def test_a_sleep_is_ended_once_it_is_over_and_by_its_attempt_alone(stage: Stage) -> None:
    lease = stage.start_and_claim()
    assert begin_sleep(stage.database, lease, _SLEEP, timedelta(hours=1), stage.settings) is not None
    left = end_sleep(stage.database, lease, _SLEEP)
    assert left is not None
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    with stage.database.transaction() as tx:
        tx.run(Sql("update steps set due_at = {now}"))
    before = _events(stage)
    # Once more, as after a commit whose answer was lost.
    assert [end_sleep(stage.database, lease, _SLEEP) for _ in range(2)] == [None, None]
    [ended] = read_journal(stage.database, lease)
    assert (ended.status, ended.digest, ended.started_at) == (StepStatus.SUCCESS, "d1", _NOW)
    assert ended.finished_at is not None
    assert ended.due_at is not None
    assert ended.finished_at >= ended.due_at
    assert _events(stage) == before + 1


def test_who_has_lost_the_run_ends_no_sleep(stage: Stage) -> None:
    lease = stage.start_and_claim()
    begin_sleep(stage.database, lease, _SLEEP, timedelta(hours=1), stage.settings)
    with stage.database.transaction() as tx:
        tx.run(Sql("update steps set due_at = {now}"))
    assert recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
    assert stage.claim() is not None
    with pytest.raises(LeaseLost):
        end_sleep(stage.database, lease, _SLEEP)
    assert [step.status for step in read_journal(stage.database, lease)] == [StepStatus.RUNNING]


def test_many_sleepers_are_woken_batch_by_batch_each_with_its_entry(stage: Stage) -> None:
    leases = [stage.start_and_claim() for _ in range(7)]
    for lease in leases:
        stage.finish(lease, Suspended(Reason.SLEEP, timedelta(microseconds=1)))
    woken = [wake_due(stage.database, 3) for _ in range(4)]
    assert woken == [{(stage.project.id, "default")}] * 3 + [set()]
    for lease in leases:
        assert _timeline(stage, lease.run_id) == ["create", "claim", "sleep", "due"]
        assert stage.run(lease.run_id).status is Status.QUEUED


def test_a_move_that_something_follows_is_made_run_by_run(stage: Stage) -> None:
    lease = stage.start_and_claim()
    for transition in (states.COMPLETE, states.CANCEL_AT_REST, states.HAND_BACK):
        with stage.database.transaction() as tx, pytest.raises(ValueError, match=transition.name):
            move_runs(tx, transition, [lease.run_id], actor=SYSTEM)
    assert stage.run(lease.run_id).status is Status.RUNNING


def test_a_cancel_behind_the_wake_cancels_the_queued_run(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    stage.finish(lease, Suspended(Reason.SLEEP, timedelta(microseconds=1)))
    with stage.database.transaction() as tx:
        assert wakes.due_runs(tx, 10) == [lease.run_id]
        canceled = blocked(stage.database, second, lambda: _cancel(stage, lease.run_id))
        assert move_run(tx, states.DUE, lease.run_id, actor=SYSTEM)
    assert canceled.result() is Status.CANCELED
    assert _timeline(stage, lease.run_id) == ["create", "claim", "sleep", "due", "cancel_at_rest"]


def test_a_wake_beside_a_cancel_passes_the_run_over(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    stage.finish(lease, Suspended(Reason.SLEEP, timedelta(microseconds=1)))
    with stage.database.transaction() as tx:
        assert move_run(tx, states.CANCEL_AT_REST, lease.run_id, actor=LOCAL_OWNER)
        woken = second.submit(lambda: wake_due(stage.database))
        if stage.database.backend == "postgresql":
            assert woken.result(timeout=10) == set()
    assert woken.result(timeout=10) == set()
    assert stage.run(lease.run_id).status is Status.CANCELED


@pytest.mark.parametrize("hook", [False, True])
def test_a_run_that_is_to_be_canceled_does_not_come_to_rest(
    stage: Stage, second: ThreadPoolExecutor, hook: bool
) -> None:
    lease = stage.start_and_claim()
    hook_id, _ = _ask(stage, lease)
    waiting = (
        Suspended(Reason.HOOK, None, (hook_id,)) if hook else Suspended(Reason.SLEEP, timedelta(hours=1))
    )
    with stage.database.transaction() as tx:
        assert cancels.request_cancel(tx, lease.run_id, LOCAL_OWNER) is not None
        rested = blocked(stage.database, second, lambda: stage.finish(lease, waiting))
    assert rested.result().status is Status.CANCELED


def test_a_cancel_behind_a_run_that_comes_to_rest_cancels_it_at_rest(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    lease = stage.start_and_claim()
    with stage.database.transaction() as tx:
        assert runs.lock(tx, lease.run_id, lease.attempt) is not None
        canceled = blocked(stage.database, second, lambda: _cancel(stage, lease.run_id))
        assert move_run(
            tx, states.SLEEP, lease.run_id, actor=SYSTEM, attempt=lease.attempt, reason=Reason.SLEEP,
            changes=Changes(delay_us=3_600_000_000),
        )  # fmt: skip
    assert canceled.result() is Status.CANCELED
    assert _timeline(stage, lease.run_id) == ["create", "claim", "sleep", "cancel_at_rest"]


def _cancel(stage: Stage, run_id: str) -> Status:
    return cancel_run(stage.database, stage.scope, run_id, LOCAL_OWNER, stage.settings).status
