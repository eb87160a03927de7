"""Leases: alive while the worker is, recovered when it is not."""

from __future__ import annotations

from datetime import timedelta

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.states import Status
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.find_waiting import find_waiting_queues
from keystroke.operations.fleet_state import beat_heart, stop_worker
from keystroke.operations.recover_runs import recover_dead_workers
from keystroke.store import fleet
from keystroke.store.sql import Sql
from support.starts import Stage


def silence(stage: Stage) -> None:
    """Let the worker's last heartbeat be a minute old."""
    with stage.database.transaction() as tx:
        tx.run(Sql("update workers set heartbeat_at = heartbeat_at - 60000000"))


def beat(stage: Stage, *running: tuple[str, int]):  # type: ignore[no-untyped-def]
    return beat_heart(stage.database, stage.claimant.worker_id, running, 100)


def test_runs_of_a_silent_worker_go_back_to_the_queue(stage: Stage) -> None:
    lease = stage.start_and_claim()
    assert recover_dead_workers(stage.database, stage.settings) == []
    silence(stage)
    [recovered] = recover_dead_workers(stage.database, stage.settings)
    assert (recovered.run_id, recovered.status) == (lease.run_id, Status.QUEUED)
    assert recover_dead_workers(stage.database, stage.settings) == []


def test_a_worker_that_was_declared_dead_learns_it(stage: Stage) -> None:
    lease = stage.start_and_claim()
    held = (lease.run_id, lease.attempt)
    assert beat(stage, held).alive
    silence(stage)
    recover_dead_workers(stage.database, stage.settings)
    heartbeat = beat(stage, held)
    assert not heartbeat.alive
    assert heartbeat.lost == [held]


def test_a_worker_that_stopped_with_a_run_is_recovered_without_waiting(stage: Stage) -> None:
    lease = stage.start_and_claim()
    stop_worker(stage.database, stage.claimant.worker_id)
    assert [each.run_id for each in recover_dead_workers(stage.database, stage.settings)] == [lease.run_id]


def test_a_heartbeat_brings_back_cancels_and_claims_that_nobody_runs(stage: Stage) -> None:
    lease, forgotten = stage.start_and_claim(), stage.start_and_claim()
    held = (lease.run_id, lease.attempt)
    assert beat(stage, held).cancels == []
    cancel_run(stage.database, stage.scope, lease.run_id, LOCAL_OWNER, stage.settings)
    heartbeat = beat(stage, held)
    assert heartbeat.cancels == [held]
    assert heartbeat.unknown == [(forgotten.run_id, forgotten.attempt)]


def test_what_waits_too_long_is_found(stage: Stage) -> None:
    stage.start()
    assert find_waiting_queues(stage.database, timedelta(hours=1)) == set()
    assert find_waiting_queues(stage.database, timedelta(0)) == {(stage.project.id, "default")}


def test_workers_are_listed_with_their_state(stage: Stage) -> None:
    with stage.database.read() as tx:
        [worker] = fleet.list_workers(stage.scope, tx)
    assert (worker.id, worker.state, worker.queues) == (stage.claimant.worker_id, "alive", ("default",))
