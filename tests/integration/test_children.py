"""Children in the database: a child and the step that started it are one transaction, and so are the ends of many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.domain.failure import Failure
from keystroke.domain.lease import Lease
from keystroke.domain.lineage import Lineage
from keystroke.domain.outcome import Completed, Failed
from keystroke.domain.payload import digest, encode_payload
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.errors import (
    ChildIsAncestor,
    IdempotencyConflict,
    InvalidInput,
    KeystrokeError,
    LeaseLost,
    WorkflowNotFound,
)
from keystroke.operations.read_journal import read_journal
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.retention import delete_expired
from keystroke.operations.settle_children import read_ends, settle_children
from keystroke.operations.start_child import ChildRequest, ChildStarted, start_child
from keystroke.operations.start_run import StartRequest, start_in
from keystroke.store import runs, steps
from keystroke.store.lineage import list_children
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.starts import Stage

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_SPAN = "00f067aa0ba902b7"


def _step(number: int = 0, value: Any = None) -> Step:
    text = digest(encode_payload(value, what="input"))
    return Step(
        f"run:greet#{number}", "run:greet", "Greet", StepKind.WORKFLOW, StepStatus.RUNNING, 1, text, _NOW, input=value
    )  # fmt: skip


def _start(stage: Stage, parent: Lease, number: int = 0, **changes: Any) -> ChildStarted:
    request = ChildRequest("greet", {"name": "Ada"}, _SPAN)
    step = _step(number, request.input)
    return start_child(stage.database, parent, step, replace(request, **changes), stage.settings, stage.box)


def _journal(stage: Stage, parent: Lease) -> dict[str, Step]:
    return {step.identity: step for step in read_journal(stage.database, parent)}


def test_a_child_comes_with_the_record_of_its_step(stage: Stage) -> None:
    parent = stage.start_and_claim()
    started = _start(stage, parent, tags={"tier": "gold"})
    assert started.woken == ((parent.project_id, "default"),)
    child = stage.run(started.run_id)
    assert (child.parent_run_id, child.root_run_id) == (parent.run_id, parent.run_id)
    assert (child.trigger.type, child.trigger.label) == ("workflow_tool", "Workflow · Greet")
    assert child.trigger.value == f"workflow_tool:{parent.run_id}"
    assert (child.actor.type, child.actor.id, child.actor.name) == ("workflow", "greet", "Greet")
    assert (child.trace_id, child.input, child.tags) == (parent.trace_id, {"name": "Ada"}, {"tier": "gold"})
    step = _journal(stage, parent)["run:greet#0"]
    assert (step.kind, step.status, step.child_run_id) == (StepKind.WORKFLOW, StepStatus.RUNNING, child.id)
    lease = stage.claim()
    assert lease is not None
    assert (lease.run_id, lease.parent_span_id) == (child.id, _SPAN)
    grandchild = stage.run(_start(stage, lease).run_id)
    assert (grandchild.parent_run_id, grandchild.root_run_id) == (child.id, parent.run_id)


def test_starting_again_after_a_lost_answer_gives_the_same_child(stage: Stage) -> None:
    parent = stage.start_and_claim()
    first, again = _start(stage, parent), _start(stage, parent)
    assert (again.run_id, again.woken) == (first.run_id, ())
    with stage.database.read() as tx:
        assert list_children(stage.scope, tx, parent.run_id).total == 1


def test_a_start_whose_first_try_is_still_being_committed_gives_the_same_child(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    """The connection broke, while the server was still at it: what the second try waits for is the first one's end."""
    parent = stage.start_and_claim()
    lineage = Lineage(parent.run_id, "run:greet#0", parent.run_id)
    with stage.database.transaction() as tx:
        assert runs.lock(tx, parent.run_id, parent.attempt) is not None
        first = start_in(
            tx,
            stage.project,
            StartRequest("greet", {"name": "Ada"}, Trigger("api", "API"), LOCAL_OWNER, lineage=lineage),
            stage.settings,
            stage.box,
        )
        texts: dict[str, str | None] = {}
        steps.record(tx, parent.run_id, parent.attempt, replace(_step(), child_run_id=first.run_id), texts)
        again = blocked(stage.database, second, lambda: _start(stage, parent))
    assert again.result().run_id == first.run_id
    with stage.database.read() as tx:
        assert list_children(stage.scope, tx, parent.run_id).total == 1


def test_the_database_itself_knows_one_child_of_a_step(stage: Stage) -> None:
    lineage = Lineage(stage.start().run_id, "run:greet#0")
    stage.start(lineage=lineage)
    with pytest.raises(IntegrityError):
        stage.start(lineage=lineage)


def test_a_run_that_was_taken_over_starts_no_child(stage: Stage, second: ThreadPoolExecutor) -> None:
    parent = stage.start_and_claim()
    with stage.database.transaction() as tx:
        assert runs.lock(tx, parent.run_id, parent.attempt) is not None
        started = blocked(stage.database, second, lambda: _start(stage, parent))
        tx.run(Sql("update runs set attempt = attempt + 1 where id = :id"), {"id": parent.run_id})
    with pytest.raises(LeaseLost):
        started.result()
    with stage.database.read() as tx:
        assert list_children(stage.scope, tx, parent.run_id).total == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"workflow": "great"}, WorkflowNotFound),
        ({"input": {"name": 1}}, InvalidInput),
        ({"tags": {"k" * 1_000: "long"}}, InvalidInput),
        ({"input": {"name": "Bob"}, "key": "taken"}, IdempotencyConflict),
    ],
)
def test_a_child_that_is_refused_leaves_nothing(
    stage: Stage, changes: dict[str, Any], error: type[KeystrokeError]
) -> None:
    parent = stage.start_and_claim()
    stage.start(idempotency_key="taken")
    with pytest.raises(error):
        _start(stage, parent, **changes)
    assert _journal(stage, parent) == {}
    with stage.database.read() as tx:
        assert list_children(stage.scope, tx, parent.run_id).total == 0


def test_a_key_whose_run_exists_takes_that_run_and_leaves_it_its_parent(stage: Stage) -> None:
    theirs = stage.start(idempotency_key="taken").run_id
    stage.claim()
    parent = stage.start_and_claim()
    started = _start(stage, parent, key="taken")
    assert started == ChildStarted(theirs)
    assert stage.run(theirs).parent_run_id is None
    assert _journal(stage, parent)["run:greet#0"].child_run_id == theirs


def test_a_run_cannot_take_what_it_comes_from_for_its_child(stage: Stage) -> None:
    grandparent = stage.start_and_claim(idempotency_key="mine")
    _start(stage, grandparent)
    parent = stage.claim()
    assert parent is not None
    for lease in (grandparent, parent):
        with pytest.raises(ChildIsAncestor):
            _start(stage, lease, 1, key="mine")


def test_the_ends_of_children_become_the_records_of_their_steps(stage: Stage) -> None:
    parent = stage.start_and_claim()
    started = [_start(stage, parent, number) for number in range(3)]
    failure = Failed(Failure("ValueError", "no"), Reason.USER_ERROR)
    for outcome in (Completed({"greeting": "hi"}), failure):
        lease = stage.claim()
        assert lease is not None
        stage.finish(lease, outcome)
    ends = read_ends(stage.database, [each.run_id for each in started])
    assert set(ends) == {started[0].run_id, started[1].run_id}
    good, bad = ends[started[0].run_id], ends[started[1].run_id]
    assert (good.status, good.output, good.error) == (Status.SUCCESS, {"greeting": "hi"}, None)
    assert (bad.status, bad.output, bad.workflow) == (Status.FAILED, None, "greet")
    assert bad.error is not None
    assert bad.error["message"] == "no"
    journal = _journal(stage, parent)
    over = [
        replace(journal["run:greet#0"], status=StepStatus.SUCCESS, output=good.output, finished_at=_NOW),
        replace(journal["run:greet#1"], status=StepStatus.FAILED, error=bad.error, finished_at=_NOW),
    ]
    settle_children(stage.database, parent, over, stage.settings)
    again = [replace(over[0], output="another"), *over[1:]]
    settle_children(stage.database, parent, again, stage.settings)
    settled = _journal(stage, parent)
    assert [settled[f"run:greet#{at}"].status for at in range(3)] == ["success", "failed", "running"]
    assert settled["run:greet#0"].output == {"greeting": "hi"}
    assert settled["run:greet#1"].child_run_id == started[1].run_id


def test_an_attempt_that_lost_its_run_settles_nothing(stage: Stage) -> None:
    parent = stage.start_and_claim()
    _start(stage, parent)
    over = replace(_journal(stage, parent)["run:greet#0"], status=StepStatus.SUCCESS)
    recover_attempt(stage.database, parent.run_id, parent.attempt, stage.settings)
    with pytest.raises(LeaseLost):
        settle_children(stage.database, parent, [over], stage.settings)
    assert _journal(stage, parent)["run:greet#0"].status is StepStatus.RUNNING


def test_a_child_is_kept_as_long_as_its_parent_may_ask_for_it(stage: Stage) -> None:
    parent = stage.start_and_claim()
    started = _start(stage, parent)
    child = stage.claim()
    assert child is not None
    stage.finish(child)
    expire = Sql("update runs set expires_at = 1 where id = :id")
    with stage.database.transaction() as tx:
        tx.run(expire, {"id": child.run_id})
    assert delete_expired(stage.database) == 0
    assert stage.run(started.run_id).status is Status.SUCCESS
    stage.finish(parent)
    with stage.database.transaction() as tx:
        tx.run(expire, {"id": parent.run_id})
    assert delete_expired(stage.database) == 2


def test_a_child_that_is_not_kept_any_more_has_ended_all_the_same(stage: Stage) -> None:
    [(run_id, end)] = read_ends(stage.database, ["run_gone"]).items()
    assert (run_id, end.status) == ("run_gone", None)
