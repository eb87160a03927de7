"""`on_failure`: the workflow that a definition names is started once when a run of it has failed for good.

It is a part of the transaction in which the run fails, and never what makes that fail: what is wrong is announced instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.lineage import Lineage
from keystroke.domain.payload import encode_payload
from keystroke.domain.scope import Scope
from keystroke.domain.secrets import is_sealed
from keystroke.domain.states import Status
from keystroke.domain.trace import root_span_id
from keystroke.domain.traceparent import traceparent
from keystroke.errors import InvalidInput, KeystrokeError, ProjectNotFound
from keystroke.operations.check_input import check_input
from keystroke.operations.start_run import RecordedInput, StartRequest, start_in
from keystroke.settings import Settings
from keystroke.store import Tx, access, deployments, failed_runs
from keystroke.store.access import Project
from keystroke.store.failed_runs import FailedRun
from keystroke.store.runs import Moved
from keystroke.telemetry import announce
from keystroke.telemetry.events import OnFailureNotStarted

STEP: Final = "on_failure"
#: Runs in a row each of which was started since the one before it had failed: then nobody is told any more.
_LONGEST_CHAIN: Final = 5


def start_on_failure(tx: Tx, moved: Moved, settings: Settings) -> Moved:
    """Start what is to be started for a run that has just failed for good; `woken` then names its queue, too."""
    if moved.status is not Status.FAILED or moved.on_failure is None:
        return moved
    try:
        woken = _start(tx, moved.run_id, moved.on_failure, settings)
    except KeystrokeError as error:
        announce(OnFailureNotStarted(run_id=moved.run_id, workflow=moved.on_failure, why=str(error)))
        return moved
    return replace(moved, woken=(*woken, *moved.woken))


def _start(tx: Tx, run_id: str, slug: str, settings: Settings) -> tuple[tuple[str, str], ...]:
    failed = failed_runs.failure_of(tx, run_id, STEP, _LONGEST_CHAIN)
    if failed.chain >= _LONGEST_CHAIN:
        why = f"{failed.chain} runs before it were started for a failure, too, and failed"
        announce(OnFailureNotStarted(run_id=run_id, workflow=slug, why=why))
        return ()
    project = access.find_project(Scope(failed.organization_id), tx, failed.project_id)
    if project is None:
        raise ProjectNotFound(project=failed.project_id)
    recorded = _input(tx, project, failed, slug, settings)
    return start_in(tx, project, _request(failed, slug, recorded), settings, None).woken


def _request(failed: FailedRun, slug: str, recorded: RecordedInput) -> StartRequest:
    return StartRequest(
        workflow=slug,
        input=None,
        trigger=Trigger(
            "workflow_tool", f"On failure · {failed.workflow_name}", f"workflow_tool:{failed.id}"
        ),
        actor=Actor("workflow", failed.workflow, failed.workflow_name),
        traceparent=traceparent(failed.trace_id, root_span_id(failed.id)),
        lineage=Lineage(failed.id, STEP, failed.root_run_id, detached=True),
        recorded=recorded,
    )


def _input(tx: Tx, project: Project, failed: FailedRun, slug: str, settings: Settings) -> RecordedInput:
    """`{run_id, workflow, error, input}`: secrets in the input stay sealed, whatever the schema says of their places."""
    value = {"run_id": failed.id, "workflow": failed.workflow, "error": failed.error, "input": failed.input}
    text = encode_payload(value, what="input", limit=settings.payload_limit)
    workflow = deployments.get_workflow(Scope(project.organization_id), tx, project, slug)
    try:
        check_input(workflow, project.current_deployment_id or "", value)
    except InvalidInput as error:
        sealed = set(_sealed_paths(value, "$"))
        errors = [each for each in error.errors if each.path not in sealed]
        if errors:
            raise InvalidInput(what=error.what, errors=errors) from error
    return RecordedInput(text, text)


def _sealed_paths(value: Any, path: str) -> Iterator[str]:
    if is_sealed(value):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _sealed_paths(item, f"{path}.{key}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _sealed_paths(item, f"{path}[{at}]")
