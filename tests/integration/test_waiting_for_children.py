"""A run at rest and the ends of the children that it waits for meet on its row, whoever comes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from keystroke.domain import states
from keystroke.domain.actor import SYSTEM
from keystroke.domain.failure import Failure
from keystroke.domain.lease import Lease
from keystroke.domain.lineage import Lineage
from keystroke.domain.outcome import Failed, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.operations.moving import move_run
from keystroke.operations.wake_due import wake_due
from keystroke.operations.wake_forgotten import wake_forgotten
from keystroke.store import Tx, history, runs, waits
from keystroke.store.runs import Changes
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.starts import Stage
from support.waiting import wait_until


def _family(stage: Stage, children: int, **changes: object) -> tuple[Lease, list[Lease]]:
    """A running run, and its running children."""
    parent = stage.start_and_claim()
    lineages = [Lineage(parent.run_id, f"run:greet#{at}", parent.run_id) for at in range(children)]
    return parent, [stage.start_and_claim(lineage=lineage, **changes) for lineage in lineages]


def _waiting_for(*groups: list[Lease]) -> Suspended:
    named = tuple((f"{at}/wait", tuple(each.run_id for each in group)) for at, group in enumerate(groups))
    return Suspended(Reason.CHILD_RUNS, None, (), named)


def _end_in(tx: Tx, child: Lease) -> tuple[tuple[str, str], ...]:
    moved = move_run(tx, states.COMPLETE, child.run_id, actor=SYSTEM, attempt=child.attempt)
    assert moved is not None
    return moved.woken


def _rest_in(tx: Tx, parent: Lease, waiting: Suspended) -> None:
    """What the end of an attempt does for a run that comes to rest."""
    waits.come_to_rest(tx, parent.run_id, waiting.children)
    assert not waits.is_over(tx, (), waiting.children)
    waits.expect(tx, parent.run_id, (), waiting.children)
    assert move_run(
        tx, states.SLEEP, parent.run_id, actor=SYSTEM, attempt=parent.attempt, reason=Reason.CHILD_RUNS,
        changes=Changes(delay_us=None),
    )  # fmt: skip


def _timeline(stage: Stage, run_id: str) -> list[str]:
    with stage.database.read() as tx:
        return [entry.transition for entry in history.list_timeline(stage.scope, tx, run_id)]


def test_the_parent_is_woken_by_the_last_of_a_group(stage: Stage) -> None:
    parent, children = _family(stage, 4)
    stage.finish(parent, _waiting_for(children[:2], children[2:]))
    assert stage.run(parent.run_id).status_reason is Reason.CHILD_RUNS
    assert stage.finish(children[0]).woken == ()
    assert stage.finish(children[2]).woken == ()
    assert stage.run(parent.run_id).status is Status.SLEEPING
    assert stage.finish(children[3]).woken == ((parent.project_id, parent.queue),)
    assert stage.run(parent.run_id).status is Status.QUEUED


def test_the_last_two_children_end_together_and_the_parent_is_woken_once(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    parent, [one, other] = _family(stage, 2)
    stage.finish(parent, _waiting_for([one, other]))
    with stage.database.transaction() as tx:
        assert _end_in(tx, one) == ()
        ended = blocked(stage.database, second, lambda: stage.finish(other))
    assert ended.result().woken == ((parent.project_id, parent.queue),)
    assert _timeline(stage, parent.run_id).count("children_ended") == 1


def test_a_parent_that_comes_to_rest_while_its_last_child_ends_goes_on(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    parent, [child] = _family(stage, 1)
    with stage.database.transaction() as tx:
        assert _end_in(tx, child) == ()
        rested = blocked(stage.database, second, lambda: stage.finish(parent, _waiting_for([child])))
    assert rested.result().status is Status.QUEUED
    assert _timeline(stage, parent.run_id)[-1] == "wait_over"


def test_a_last_child_that_ends_while_its_parent_comes_to_rest_wakes_it(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    parent, [child] = _family(stage, 1)
    with stage.database.transaction() as tx:
        _rest_in(tx, parent, _waiting_for([child]))
        ended = blocked(stage.database, second, lambda: stage.finish(child))
    assert ended.result().woken == ((parent.project_id, parent.queue),)
    assert stage.run(parent.run_id).status is Status.QUEUED


def test_a_parent_that_is_queued_while_its_child_ends_is_woken_for_again(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    """A claim that came by while the child's end held the row has passed it over."""
    parent, [one, other, third] = _family(stage, 3)
    stage.finish(parent, _waiting_for([one], [other, third]))
    with stage.database.transaction() as tx:
        assert _end_in(tx, one) == ((parent.project_id, parent.queue),)
        ended = blocked(stage.database, second, lambda: stage.finish(other))
    on_sqlite = stage.database.backend == "sqlite"
    assert ended.result().woken == (() if on_sqlite else ((parent.project_id, parent.queue),))
    assert stage.finish(third).woken == ()
    assert _timeline(stage, parent.run_id).count("children_ended") == 1


def test_children_that_end_do_not_wait_for_a_parent_that_runs(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    """On PostgreSQL; else the ends of the first children of a great many would hold up the start of the others."""
    parent, [one, other] = _family(stage, 2)
    if stage.database.backend == "sqlite":
        return
    with stage.database.transaction() as tx:
        assert runs.lock(tx, parent.run_id, parent.attempt) is not None
        assert second.submit(lambda: stage.finish(one)).result(timeout=10).woken == ()
        assert second.submit(lambda: stage.finish(other)).result(timeout=10).woken == ()


def test_a_run_waits_for_a_child_that_another_run_has_started(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    parent, [child] = _family(stage, 1, idempotency_key="theirs")
    first, later = stage.start_and_claim(), stage.start_and_claim()
    stage.finish(first, _waiting_for([child]))
    with stage.database.transaction() as tx:
        _rest_in(tx, later, _waiting_for([child]))
        ended = blocked(stage.database, second, lambda: stage.finish(child))
    assert set(ended.result().woken) == {(parent.project_id, parent.queue)}
    assert {stage.run(each.run_id).status for each in (first, later)} == {Status.QUEUED}
    assert stage.run(parent.run_id).status is Status.RUNNING


def test_a_run_that_comes_to_rest_sees_the_end_of_a_child_of_another(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    _, [child] = _family(stage, 1, idempotency_key="theirs")
    other = stage.start_and_claim()
    with stage.database.transaction() as tx:
        _end_in(tx, child)
        rested = blocked(stage.database, second, lambda: stage.finish(other, _waiting_for([child])))
    assert rested.result().status is Status.QUEUED


def test_a_run_that_does_not_rest_for_its_children_any_more_is_not_woken_by_them(stage: Stage) -> None:
    """It waited for a child or a time, the time came, its code failed: now it rests until its next try."""
    parent = stage.start_and_claim("retried")
    child = stage.start_and_claim(lineage=Lineage(parent.run_id, "run:greet#0", parent.run_id))
    stage.finish(parent, replace(_waiting_for([child]), delay=timedelta(microseconds=1)))
    wait_until(lambda: bool(wake_due(stage.database)), timeout=10)
    again = stage.claim()
    assert again is not None
    stage.finish(again, Failed(Failure("ValueError", "no"), Reason.USER_ERROR))
    assert stage.run(parent.run_id).status_reason is Reason.RETRY_BACKOFF
    assert stage.finish(child).woken == ()
    assert stage.run(parent.run_id).status is Status.SLEEPING


def test_a_parent_is_woken_although_whoever_ended_its_child_knew_of_none(stage: Stage) -> None:
    """As a worker of the version before does, which goes on beside the new ones while they are rolled out."""
    parent, [one, other, third] = _family(stage, 3)
    stage.finish(parent, _waiting_for([one, other], [third]))
    with stage.database.transaction() as tx:
        for child in (one, other):
            runs.move(tx, states.COMPLETE, child.run_id, actor=SYSTEM, attempt=child.attempt)
    assert stage.run(parent.run_id).status is Status.SLEEPING
    assert wake_forgotten(stage.database) == {(parent.project_id, parent.queue)}
    assert stage.run(parent.run_id).status is Status.QUEUED
    assert wake_forgotten(stage.database) == set()


def test_a_child_that_is_gone_holds_up_nobody(stage: Stage) -> None:
    parent, [one, other] = _family(stage, 2)
    stage.finish(parent, _waiting_for([one, other]))
    with stage.database.transaction() as tx:
        tx.run(Sql("delete from runs where id = :id"), {"id": one.run_id})
    assert wake_forgotten(stage.database) == set()
    assert stage.finish(other).woken == ((parent.project_id, parent.queue),)
