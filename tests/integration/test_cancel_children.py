"""The cascade of a cancel: children end with their parent, one transaction each; what is left is found by its mark."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from keystroke.domain.actor import LOCAL_OWNER, SYSTEM, Trigger
from keystroke.domain.lease import Lease
from keystroke.domain.lineage import Lineage
from keystroke.domain.outcome import Completed
from keystroke.domain.states import Reason, Status
from keystroke.operations.cancel_children import cancel_children, sweep_canceled
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.start_run import StartRequest, start_in
from keystroke.store import Tx, children, history
from keystroke.store.sql import Sql
from support.api import Api
from support.blocking import blocked
from support.starts import Stage


def _child(stage: Stage, parent: str, number: int = 0, *, detached: bool = False) -> str:
    return stage.start(lineage=Lineage(parent, f"run:greet#{number}", parent, detached=detached)).run_id


def _claimed(stage: Stage) -> Lease:
    lease = stage.claim()
    assert lease is not None
    return lease


def _cancel(stage: Stage, run_id: str) -> None:
    cancel_run(stage.database, stage.scope, run_id, LOCAL_OWNER, stage.settings)


def _where(stage: Stage, run_id: str) -> tuple[Status, Reason | None]:
    run = stage.run(run_id)
    return run.status, run.status_reason


_CANCELED = (Status.CANCELED, Reason.CANCELED_BY_PARENT)


def test_children_end_with_their_parent_all_the_way_down(stage: Stage) -> None:
    parent = stage.start().run_id
    child, detached, ended = (
        _child(stage, parent),
        _child(stage, parent, 1, detached=True),
        _child(stage, parent, 2),
    )
    grandchild, of_detached, of_ended = _child(stage, child), _child(stage, detached), _child(stage, ended)
    _end(stage, ended)
    _cancel(stage, parent)
    canceled = cancel_children(stage.database, parent, LOCAL_OWNER, stage.settings)
    assert [each.run_id for each in canceled] == [child, grandchild]
    assert _where(stage, child) == _where(stage, grandchild) == _CANCELED
    assert {stage.run(each).status for each in (detached, of_detached, of_ended)} == {Status.QUEUED}
    assert stage.run(ended).status is Status.SUCCESS
    with stage.database.read() as tx:
        timeline = history.list_timeline(stage.scope, tx, grandchild)
    assert timeline[-1].actor == LOCAL_OWNER
    assert sweep_canceled(stage.database, stage.settings) == []


def _end(stage: Stage, run_id: str) -> None:
    """Have this run executed, whatever waits before it."""
    with stage.database.transaction() as tx:
        tx.run(Sql("update runs set priority = 10 where id = :id"), {"id": run_id})
    lease = _claimed(stage)
    assert lease.run_id == run_id
    stage.finish(lease, Completed(None))


def test_a_cancel_over_http_takes_the_children_along(api: Api) -> None:
    stage = api.stage
    parent = stage.start().run_id
    child = _child(stage, parent)
    assert api.ids(f"parent={parent}") == [child]
    assert api.post(f"/runs/{parent}/cancel").status_code == 202
    assert _where(stage, child) == _CANCELED


def test_a_running_child_is_asked_and_ends_for_its_parents_sake(stage: Stage) -> None:
    parent = stage.start_and_claim()
    running = _child(stage, parent.run_id)
    lease = _claimed(stage)
    queued = _child(stage, running)
    _cancel(stage, parent.run_id)
    asked, canceled = cancel_children(stage.database, parent.run_id, LOCAL_OWNER, stage.settings)
    assert (asked.run_id, asked.status, asked.worker_id, asked.attempt) == (
        running,
        Status.RUNNING,
        lease.worker_id,
        1,
    )
    assert (canceled.run_id, _where(stage, queued)) == (queued, _CANCELED)
    assert stage.finish(lease, Completed("too late")).status is Status.CANCELED
    assert _where(stage, running) == _CANCELED
    assert stage.finish(parent).status is Status.CANCELED
    assert _where(stage, parent.run_id) == (Status.CANCELED, Reason.CANCELED_BY_USER)
    assert sweep_canceled(stage.database, stage.settings) == []


def test_a_child_that_dies_with_its_worker_after_being_asked_is_canceled_by_its_parent(stage: Stage) -> None:
    parent = stage.start().run_id
    stage.claim()
    running = _child(stage, parent)
    lease = _claimed(stage)
    _cancel(stage, parent)
    cancel_children(stage.database, parent, LOCAL_OWNER, stage.settings)
    recover_attempt(stage.database, running, lease.attempt, stage.settings)
    assert _where(stage, running) == _CANCELED


def test_what_a_crash_left_behind_is_found_by_the_mark_of_the_canceled_run(stage: Stage) -> None:
    parent = stage.start().run_id
    child = _child(stage, parent)
    grandchild = _child(stage, child)
    _cancel(stage, parent)
    assert stage.run(child).status is Status.QUEUED
    canceled = sweep_canceled(stage.database, stage.settings)
    assert [each.run_id for each in canceled] == [child, grandchild]
    assert _where(stage, grandchild) == _CANCELED
    assert sweep_canceled(stage.database, stage.settings) == []
    with stage.database.read() as tx:
        assert children.cascading(tx, 10) == []


def test_a_child_that_was_started_while_its_parent_was_asked_to_end_is_found(stage: Stage) -> None:
    parent = stage.start_and_claim()
    _cancel(stage, parent.run_id)
    assert cancel_children(stage.database, parent.run_id, LOCAL_OWNER, stage.settings) == []
    late = _child(stage, parent.run_id)
    stage.finish(parent)
    assert [each.run_id for each in sweep_canceled(stage.database, stage.settings)] == [late]


def test_one_call_cancels_so_many_and_the_rest_is_found_later(stage: Stage) -> None:
    parent = stage.start().run_id
    family = [_child(stage, parent, number) for number in range(5)]
    _cancel(stage, parent)
    assert len(cancel_children(stage.database, parent, LOCAL_OWNER, stage.settings, most=2)) == 2
    assert len(sweep_canceled(stage.database, stage.settings)) == 3
    assert {_where(stage, each) for each in family} == {_CANCELED}


def test_a_parent_that_fails_or_succeeds_leaves_its_children_going(stage: Stage) -> None:
    parent = stage.start_and_claim()
    child = _child(stage, parent.run_id)
    stage.finish(parent)
    assert sweep_canceled(stage.database, stage.settings) == []
    assert stage.run(child).status is Status.QUEUED


def test_a_cancel_and_the_start_of_a_child_meet_on_the_parents_row(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    """Whoever is first: the child is seen by the cancel, or is not started any more."""
    parent = stage.start_and_claim()
    _cancel(stage, parent.run_id)
    with stage.database.transaction() as tx:
        assert children.hold_parent(tx, parent.run_id, parent.attempt, "run:greet#0") is not None
        ended = blocked(stage.database, second, lambda: stage.finish(parent))
        _insert_child(tx, stage, parent.run_id)
    assert ended.result().status is Status.CANCELED
    [canceled] = sweep_canceled(stage.database, stage.settings)
    assert stage.run(canceled.run_id).parent_run_id == parent.run_id
    with stage.database.transaction() as tx:
        assert children.hold_parent(tx, parent.run_id, parent.attempt, "run:greet#1") is None


def _insert_child(tx: Tx, stage: Stage, parent: str) -> None:
    lineage = Lineage(parent, "run:greet#0", parent)
    request = StartRequest("greet", {"name": "Ada"}, Trigger("api", "API"), SYSTEM, lineage=lineage)
    start_in(tx, stage.project, request, stage.settings, stage.box)
