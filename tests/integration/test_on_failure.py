"""`on_failure`: started once, with the failure itself; what is wrong with it never changes how the run has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from keystroke.domain.failure import Failure
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Completed, Failed
from keystroke.domain.run import Run
from keystroke.domain.states import Reason, Status
from keystroke.operations.recover_runs import recover_attempt
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.lineage import list_children
from keystroke.telemetry.logs import configure_logging
from support.starts import GREET, Stage, make_stage

_ERROR = Failed(Failure("ValueError", "no stock"), Reason.USER_ERROR)
_TOLD = {
    "type": "object",
    "properties": {
        "run_id": {"type": "string"},
        "workflow": {"type": "string"},
        "error": {"type": "object"},
        "input": {},
    },
    "required": ["run_id", "workflow", "error", "input"],
}
_TELL = replace(GREET, slug="tell", name="Tell", input_schema=_TOLD, queue="alerts")
_SECRETIVE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "password": {"type": "string", "writeOnly": True, "minLength": 3},
    },
}

MakeFailing = Callable[..., Stage]


@pytest.fixture
def failing(database: Database, settings: Settings) -> MakeFailing:
    """A stage whose workflow `greet` names a handler, and fails."""

    def make(**changes: object) -> Stage:
        greet = replace(GREET, on_failure="tell", **changes)  # type: ignore[arg-type]
        return make_stage(database, settings, greet, _TELL, replace(GREET, slug="misfit", on_failure="greet"))

    return make


def _handlers(stage: Stage, run_id: str) -> list[Run]:
    with stage.database.read() as tx:
        found = list_children(stage.scope, tx, run_id)
    return [stage.run(run.id) for run in found.runs]


def _fail(stage: Stage, lease: Lease) -> tuple[tuple[str, str], ...]:
    finished = stage.finish(lease, _ERROR)
    assert finished.status is Status.FAILED
    return finished.woken


def test_a_failure_starts_what_it_names_with_the_failure(failing: MakeFailing) -> None:
    stage = failing()
    lease = stage.start_and_claim()
    assert _fail(stage, lease) == ((lease.project_id, "alerts"),)
    [handler] = _handlers(stage, lease.run_id)
    failed = stage.run(lease.run_id)
    assert handler.input == {
        "run_id": failed.id,
        "workflow": "greet",
        "error": failed.error,
        "input": {"name": "Ada"},
    }
    assert (handler.workflow, handler.status, handler.root_run_id) == ("tell", Status.QUEUED, failed.id)
    assert (handler.trigger.type, handler.trigger.label) == ("workflow_tool", "On failure · Greet")
    assert (handler.actor.type, handler.trace_id) == ("workflow", failed.trace_id)
    stage.finish(lease, _ERROR)
    assert len(_handlers(stage, lease.run_id)) == 1


def test_only_the_last_failure_counts(failing: MakeFailing) -> None:
    stage = failing(max_attempts=2)
    lease = stage.start_and_claim()
    assert stage.finish(lease, _ERROR).status is Status.SLEEPING
    assert _handlers(stage, lease.run_id) == []
    for outcome in (Completed(None), replace(_ERROR, counts=False)):
        other = stage.start_and_claim()
        stage.finish(other, outcome)
        assert len(_handlers(stage, other.run_id)) == int(isinstance(outcome, Failed))


def test_a_run_that_is_given_up_starts_it_too(failing: MakeFailing) -> None:
    stage = failing()
    stage.settings = replace(stage.settings, recovery_budget=0)
    lease = stage.start_and_claim()
    recovered = recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
    assert recovered is not None
    assert (recovered.status, recovered.queues) == (Status.FAILED, ((lease.project_id, "alerts"),))
    [handler] = _handlers(stage, lease.run_id)
    assert handler.input["error"]["reason"] == "worker_lost"


def test_a_timed_out_run_that_died_with_its_worker_starts_it_too(failing: MakeFailing) -> None:
    stage = failing(timeout=1.0)
    lease = stage.start_and_claim()
    recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings, timedelta(seconds=2))
    assert len(_handlers(stage, lease.run_id)) == 1


def test_sealed_secrets_stay_sealed_and_fit(
    failing: MakeFailing, database: Database, settings: Settings
) -> None:
    told = {**_TOLD, "properties": {**_TOLD["properties"], "input": _SECRETIVE}}  # type: ignore[dict-item]
    greet = replace(GREET, input_schema=_SECRETIVE, on_failure="tell")
    stage = make_stage(database, settings, greet, replace(_TELL, input_schema=told))
    lease = stage.start_and_claim(value={"name": "Ada", "password": "hunter2"})
    _fail(stage, lease)
    [handler] = _handlers(stage, lease.run_id)
    assert handler.input["input"] == stage.run(lease.run_id).input
    assert list(handler.input["input"]["password"]) == ["$sealed"]


@pytest.mark.parametrize(
    ("workflow", "on_failure", "why"),
    [
        ("greet", "gone", "There is no workflow gone in project demo"),
        ("misfit", "greet", "The input does not fit workflow greet"),
    ],
)
def test_what_cannot_be_started_is_announced_and_the_failure_stands(
    database: Database,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    workflow: str,
    on_failure: str,
    why: str,
) -> None:
    configure_logging(settings, "worker")
    stage = make_stage(database, settings, GREET, replace(GREET, slug=workflow, on_failure=on_failure))
    lease = stage.start_and_claim(workflow)
    assert _fail(stage, lease) == ()
    assert stage.run(lease.run_id).error is not None
    assert _handlers(stage, lease.run_id) == []
    said = capsys.readouterr()
    assert why in said.out + said.err


def test_a_handler_whose_schema_cannot_be_checked_keeps_no_run_from_failing(
    database: Database, settings: Settings
) -> None:
    """A pattern that Pydantic takes, and Python's own expressions do not."""
    properties = {**_TOLD["properties"], "workflow": {"type": "string", "pattern": r"\p{L}+"}}  # type: ignore[dict-item]
    told = {**_TOLD, "properties": properties}
    greet = replace(GREET, on_failure="tell")
    stage = make_stage(database, settings, greet, replace(_TELL, input_schema=told))
    lease = stage.start_and_claim()
    assert _fail(stage, lease) == ()
    stage.settings = replace(stage.settings, recovery_budget=0)
    lost = stage.start_and_claim()
    recovered = recover_attempt(stage.database, lost.run_id, lost.attempt, stage.settings)
    assert recovered is not None
    assert recovered.status is Status.FAILED


def test_failures_of_failures_come_to_an_end(database: Database, settings: Settings) -> None:
    """A new version of the code may name what names the old one."""
    ring = replace(GREET, input_schema=True, on_failure="greet")  # type: ignore[arg-type]
    stage = make_stage(database, settings, ring)
    lease: Lease | None = stage.start_and_claim()
    failed = []
    while lease is not None:
        failed.append(lease.run_id)
        _fail(stage, lease)
        lease = stage.claim()
    assert len(failed) == 6
    assert {stage.run(run_id).root_run_id for run_id in failed} == {failed[0]}
