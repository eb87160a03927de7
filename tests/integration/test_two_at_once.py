"""Two transactions meet on a run's row: the one that holds the lock goes first, the other sees what it did.

Each test holds the lock in an open transaction of its own while the second party, in a thread, runs into it. On PostgreSQL the
test waits until the server itself says that the second one waits for a lock; SQLite lets one writer in at a time, whatever it
writes, so there the order alone is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from keystroke.domain import states
from keystroke.domain.actor import LOCAL_OWNER, SYSTEM
from keystroke.domain.outcome import Completed, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.errors import IdempotencyConflict, LeaseLost
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.claiming import claim_next
from keystroke.operations.read_journal import read_journal
from keystroke.operations.record_step import record_step
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.start_run import StartedRun
from keystroke.operations.wake_due import wake_due
from keystroke.store import cancels, history, idempotency, runs, steps
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.starts import Stage

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_STEP = Step(
    "charge#0",
    "charge",
    "Charge",
    StepKind.ACTION,
    StepStatus.SUCCESS,
    1,
    "d1",
    _NOW,
    _NOW,
    None,
    {"paid": 1},
)


def test_a_step_after_the_recovery_is_refused(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    with stage.database.transaction() as tx:
        assert runs.lock(tx, lease.run_id, lease.attempt) is not None
        recorded = blocked(
            stage.database, second, lambda: record_step(stage.database, lease, _STEP, stage.settings)
        )
        runs.move(tx, states.RECOVER, lease.run_id, actor=SYSTEM, attempt=lease.attempt)
    with pytest.raises(LeaseLost):
        recorded.result()
    assert read_journal(stage.database, lease) == []


def test_a_recovery_after_the_step_keeps_the_step(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    with stage.database.transaction() as tx:
        assert steps.record(tx, lease.run_id, lease.attempt, _STEP, {})
        recovered = blocked(
            stage.database,
            second,
            lambda: recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings),
        )
    assert recovered.result() is not None
    assert [step.identity for step in read_journal(stage.database, lease)] == ["charge#0"]


@pytest.mark.parametrize("outcome", [Completed(1), Suspended(Reason.RETRY_BACKOFF, timedelta(hours=1))])
def test_a_cancel_beside_the_end_of_the_attempt_wins(
    stage: Stage, second: ThreadPoolExecutor, outcome: Completed | Suspended
) -> None:
    lease = stage.start_and_claim()
    with stage.database.transaction() as tx:
        assert cancels.request_cancel(tx, lease.run_id, LOCAL_OWNER) is not None
        finished = blocked(stage.database, second, lambda: stage.finish(lease, outcome))
    assert finished.result().status is Status.CANCELED


def test_a_cancel_that_comes_while_the_run_is_claimed_reaches_the_attempt(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    started = stage.start()
    with stage.database.transaction() as tx:
        lease = claim_next(tx, stage.claimant).lease
        assert lease is not None
        asked = blocked(
            stage.database,
            second,
            lambda: cancel_run(stage.database, stage.scope, started.run_id, LOCAL_OWNER, stage.settings),
        )
    canceled = asked.result()
    assert (canceled.status, canceled.worker_id, canceled.attempt) == (Status.RUNNING, lease.worker_id, 1)


def test_a_claim_passes_over_what_somebody_else_holds(stage: Stage, second: ThreadPoolExecutor) -> None:
    first, other = stage.start(), stage.start()
    if stage.database.backend == "sqlite":
        claimed = [stage.claim(), stage.claim()]
    else:
        with stage.database.transaction() as tx:
            held = claim_next(tx, stage.claimant).lease
            claimed = [held, second.submit(stage.claim).result(timeout=10)]
    assert [lease and lease.run_id for lease in claimed] == [first.run_id, other.run_id]


def test_a_sleeper_is_woken_once(stage: Stage, second: ThreadPoolExecutor) -> None:
    lease = stage.start_and_claim()
    stage.finish(lease, Suspended(Reason.RETRY_BACKOFF, timedelta(microseconds=1)))
    woken = [*second.map(lambda _: wake_due(stage.database), range(3))]
    assert sorted(map(len, woken)) == [0, 0, 1]
    with stage.database.read() as tx:
        timeline = [entry.transition for entry in history.list_timeline(stage.scope, tx, lease.run_id)]
    assert timeline.count("due") == 1


def _take(stage: Stage, digest: str) -> Callable[[], StartedRun]:
    return lambda: stage.start(value={"name": digest}, idempotency_key="k")


def test_a_second_start_waits_for_the_first_and_points_to_it(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    """The first transaction takes the key and is still open when the second comes."""
    earlier = stage.start(value={"name": "Ada"}, idempotency_key="k")
    with stage.database.transaction() as tx:
        expired = Sql("update idempotency_keys set expires_at = 0")
        assert tx.run(expired) == 1
        taken = idempotency.take_key(
            tx, project_id=stage.project.id, workflow="greet", key="k", run_id=earlier.run_id, digest="another",
            ttl_us=60_000_000,
        )  # fmt: skip
        assert taken is None
        again = blocked(stage.database, second, _take(stage, "Ada"))
    with pytest.raises(IdempotencyConflict):
        again.result()


def test_of_many_starts_with_one_key_one_is_made(stage: Stage) -> None:
    with ThreadPoolExecutor(8) as executor:
        started = list(executor.map(lambda _: _take(stage, "Ada")(), range(24)))
    assert len({each.run_id for each in started}) == 1
    assert sum(each.created for each in started) == 1


def test_many_claimers_share_the_runs_without_doubling_any(stage: Stage) -> None:
    expected = {stage.start().run_id for _ in range(60)}

    def drain(_: int) -> list[str]:
        return [lease.run_id for lease in iter(stage.claim, None)]

    with ThreadPoolExecutor(6) as executor:
        claimed = [run_id for part in executor.map(drain, range(6)) for run_id in part]
    assert sorted(claimed) == sorted(expected)
