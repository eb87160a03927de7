"""Ticks under lease: who claims one, who may not, and what becomes of one whose attempt is lost; on both databases."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.lease import Claimant, TickLease
from keystroke.domain.outcome import Completed
from keystroke.domain.states import Status
from keystroke.operations.cancel_tick import cancel_tick
from keystroke.operations.claim_run import claim_run
from keystroke.operations.claiming import claim_next
from keystroke.operations.find_waiting import find_waiting_queues
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.fleet_state import beat_heart, register_worker, stop_worker
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.recover_runs import recover_attempt, recover_dead_workers
from keystroke.store import Database, queues, tick_claims
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.poll_rig import INVOICES, MakePolls, PollRig

_RETIRE = Sql("update sources set retired_at = 1")
_NO_POLL = Sql("update sources set kind = 'schedule'")
_TWELVE = "".join(
    f"""
@poll("p{number}", every="5m")
def p{number}():
    return None
p{number}.attach(anything)
"""
    for number in range(12)
)


@pytest.fixture
def rig(make_polls: MakePolls) -> PollRig:
    rig = make_polls(INVOICES)
    rig.given["invoices"] = [1]
    return rig


def recover(rig: PollRig, lease: TickLease, **worked: float) -> Any:
    return recover_attempt(rig.database, lease.tick_id, lease.attempt, rig.settings, timedelta(**worked))


def error(rig: PollRig) -> str:
    [row] = rig.ticks()
    assert (row.status, row.outcome) == ("ended", "error")
    return str(json.loads(row.error)["message"])


def test_a_tick_is_claimed_before_any_run_and_says_that_one_waits(rig: PollRig) -> None:
    rig.stage.start("anything")
    rig.queue()
    tick = claim_run(rig.database, rig.stage.claimant)
    assert isinstance(tick, TickLease)
    assert (tick.source, tick.attempt, tick.more) == ("invoices", 1, True)
    run = claim_run(rig.database, rig.stage.claimant)
    assert run is not None
    assert run.id.startswith("run_")
    assert claim_run(rig.database, rig.stage.claimant) is None


def test_a_finish_claims_a_tick_along_with_it(rig: PollRig) -> None:
    lease = rig.stage.start_and_claim("anything")
    rig.queue()
    finished = finish_attempt(
        rig.database, lease, Completed(None), timedelta(), rig.settings, rig.stage.claimant
    )
    assert finished.status is Status.SUCCESS
    assert isinstance(finished.next, TickLease)
    assert not finished.next.more


def test_only_a_worker_that_has_the_poll_serves_its_queue_and_may_claims_a_tick(rig: PollRig) -> None:
    claimant = rig.stage.claimant
    rig.queue()
    assert claim_run(rig.database, replace(claimant, polls=("another",))) is None
    assert claim_run(rig.database, replace(claimant, polls=())) is None
    assert claim_run(rig.database, replace(claimant, queues=("elsewhere",))) is None
    with rig.database.transaction() as tx:
        queues.set_paused(tx, rig.stage.project, "default", paused=True)
    assert claim_run(rig.database, claimant) is None
    assert find_waiting_queues(rig.database, timedelta()) == set(), "nobody is woken for a paused queue"
    with rig.database.transaction() as tx:
        queues.set_paused(tx, rig.stage.project, "default", paused=False)
    assert find_waiting_queues(rig.database, timedelta()) == {(rig.stage.project.id, "default")}
    assert claim_run(rig.database, replace(claimant, queues=("elsewhere", "default"))) is not None


def test_a_tick_is_for_the_code_of_its_poll_as_long_as_a_worker_of_that_serves_its_queue(
    rig: PollRig,
) -> None:
    """While a deployment rolls out, older code would look with a state, and at a source, that it does not know."""
    older, manifest = rig.stage.claimant, replace(rig.project.manifest, digest="newer code")
    newer = publish_deployment(rig.database, manifest).deployment_id
    rig.queue()
    elsewhere = register_worker(rig.database, rig.stage.project.id, newer, ("elsewhere",), 1)
    worker_id = register_worker(rig.database, rig.stage.project.id, newer, ("default",), 1)
    assert claim_run(rig.database, older) is None
    assert not tick_waits(rig, older)
    assert tick_waits(rig, replace(older, deployment_id=newer))
    stop_worker(rig.database, worker_id)
    assert tick_waits(rig, older), "nobody of the newer code is there to look"
    assert elsewhere
    assert isinstance(claim_run(rig.database, older), TickLease)


def tick_waits(rig: PollRig, claimant: Claimant) -> bool:
    with rig.database.read() as tx:
        return tick_claims.waits(tx, claimant)


def test_a_claim_passes_over_a_tick_that_somebody_else_is_about_to_take(
    rig: PollRig, second: ThreadPoolExecutor
) -> None:
    """It neither waits nor looks again: it takes a run."""
    rig.stage.start("anything")
    rig.queue()
    if rig.database.backend == "sqlite":
        pytest.skip("one writer at a time")
    with rig.database.transaction() as tx:
        assert tick_claims.take(tx, rig.stage.claimant) is not None
        run = second.submit(claim_run, rig.database, rig.stage.claimant).result(timeout=10)
        with closing(Database.from_settings(rig.settings)) as other, other.transaction() as third:
            nothing = claim_next(third, rig.stage.claimant)
    assert run is not None
    assert run.id.startswith("run_")
    assert (nothing.lease, nothing.again) == (None, False)


def test_many_claimers_share_the_ticks_without_doubling_any(make_polls: MakePolls) -> None:
    rig = make_polls(_TWELVE)
    assert len(rig.queue()) == 12

    def drain(_: int) -> list[str]:
        return [lease.id for lease in iter(lambda: claim_run(rig.database, rig.stage.claimant), None)]

    with ThreadPoolExecutor(4) as executor:
        claimed = [tick for part in executor.map(drain, range(4)) for tick in part]
    assert sorted(claimed) == sorted(row.id for row in rig.ticks())


def test_a_lost_tick_goes_back_and_what_its_attempt_still_writes_is_refused(rig: PollRig) -> None:
    rig.queue()
    late = rig.claim()
    result = rig.execute(late)
    recovered = recover(rig, late, seconds=2)
    assert (recovered.status, recovered.queues) == (Status.QUEUED, ((rig.stage.project.id, "default"),))
    assert recover(rig, late) is None, "it has no longer anything to lose"
    finished = rig.finish(late, result)
    assert (finished.won, rig.runs(), rig.state("invoices")) == (False, [], None)
    again = rig.claim()
    assert (again.attempt, again.active) == (2, timedelta(seconds=2))
    assert rig.finish(again, rig.execute(again)).won
    assert [run.input["number"] for run in rig.runs()] == [1]


def test_a_tick_that_kills_its_processes_ends_and_its_poll_has_failed(rig: PollRig) -> None:
    rig.settings = replace(rig.settings, recovery_budget=2)
    rig.queue()
    ends = [recover(rig, rig.claim()).status for _ in range(3)]
    assert ends == [Status.QUEUED, Status.QUEUED, Status.FAILED]
    assert "3 attempts of this tick were lost" in error(rig)
    assert rig.source("invoices").failures == 1


def test_a_tick_that_is_out_of_time_when_it_is_lost_is_not_tried_again(rig: PollRig) -> None:
    rig.queue()
    assert recover(rig, rig.claim(), minutes=3).status is Status.QUEUED
    assert recover(rig, rig.claim(), minutes=2).status is Status.FAILED
    assert "its timeout is 300 s" in error(rig)


def test_a_cancel_reaches_a_tick_wherever_it_is(rig: PollRig) -> None:
    rig.queue()
    lease = rig.claim()
    running = [(lease.tick_id, lease.attempt)]
    asked = cancel_tick(rig.database, rig.stage.scope, LOCAL_OWNER, lease.tick_id)
    assert asked is not None
    assert (asked.worker_id, asked.attempt) == (lease.worker_id, 1)
    assert beat_heart(rig.database, lease.worker_id, running, 1).cancels == running
    assert recover(rig, lease).status is Status.FAILED, "not given back any more"
    assert "canceled" in error(rig)
    assert cancel_tick(rig.database, rig.stage.scope, LOCAL_OWNER, lease.tick_id) is None
    rig.fire("invoices")
    waiting = rig.ticks()[-1].id
    asked = cancel_tick(rig.database, rig.stage.scope, LOCAL_OWNER, waiting)
    assert asked is not None
    assert asked.worker_id is None
    assert rig.ticks()[-1].outcome == "error"
    assert (rig.source("invoices").failures, rig.runs()) == (0, [])


def test_a_cancel_beside_the_end_of_the_tick_wins(rig: PollRig, second: ThreadPoolExecutor) -> None:
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    with rig.database.transaction() as tx:
        assert tick_claims.request_cancel(tx, lease.tick_id) is not None
        finished = blocked(rig.database, second, lambda: rig.finish(lease, result))
    assert finished.result().status is Status.FAILED
    assert (rig.runs(), rig.state("invoices")) == ([], None)


def test_a_recovery_beside_the_end_of_the_tick_decides_who_was_first(
    rig: PollRig, second: ThreadPoolExecutor
) -> None:
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    with rig.database.transaction() as tx:
        assert tick_claims.requeue(tx, lease.tick_id, lease.attempt, lost=True)
        finished = blocked(rig.database, second, lambda: rig.finish(lease, result))
    assert not finished.result().won
    assert rig.runs() == []


def test_a_worker_knows_its_ticks_and_loses_them_with_its_life(rig: PollRig) -> None:
    rig.queue()
    lease = rig.claim()
    held = (lease.tick_id, lease.attempt)
    assert beat_heart(rig.database, lease.worker_id, [], 1).unknown == [held]
    assert beat_heart(rig.database, lease.worker_id, [held, ("tick_x", 1)], 1).lost == [("tick_x", 1)]
    stop_worker(rig.database, lease.worker_id)
    [recovered] = recover_dead_workers(rig.database, rig.settings)
    assert (recovered.run_id, recovered.status) == (lease.tick_id, Status.QUEUED)


def test_a_tick_of_a_poll_that_the_code_has_no_longer_ends(rig: PollRig) -> None:
    rig.queue()
    with rig.database.transaction() as tx:
        tx.run(_RETIRE)
    assert claim_run(rig.database, rig.stage.claimant) is None
    recover_dead_workers(rig.database, rig.settings)
    assert "no poll invoices" in error(rig)


def test_a_tick_of_what_is_no_poll_any_more_ends(rig: PollRig) -> None:
    """Its slug is a schedule's by now, so no code has such a poll."""
    rig.queue()
    with rig.database.transaction() as tx:
        tx.run(_NO_POLL)
    assert claim_run(rig.database, rig.stage.claimant) is None
    recover_dead_workers(rig.database, rig.settings)
    assert "no poll invoices" in error(rig)
