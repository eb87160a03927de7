"""Start a child: its row and the record of the step that started it, in one transaction under the parent's row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.lease import Lease
from keystroke.domain.lineage import Lineage
from keystroke.domain.scope import Scope
from keystroke.domain.step import Step
from keystroke.domain.traceparent import traceparent
from keystroke.errors import ChildIsAncestor, LeaseLost, ProjectNotFound
from keystroke.operations.record_step import texts_of
from keystroke.operations.start_run import StartRequest, check_start, insert_start
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, children, steps
from keystroke.store.children import Parent


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """A wish to start a child. `input` is its plain JSON value; `span_id` is the span of the step in the parent's trace."""

    workflow: str
    input: Any
    span_id: str
    key: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    detached: bool = False


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """A child that is committed; wake the queues in `woken`, each a (project id, queue)."""

    run_id: str
    woken: tuple[tuple[str, str], ...] = ()


def start_child(
    database: Database, lease: Lease, step: Step, request: ChildRequest, settings: Settings, box: Box | None
) -> ChildStarted:
    """Insert the child and record the step as begun; doing it again gives the same child.

    With a key whose run exists that run is taken; it keeps its parent. Raises LeaseLost, and what `start_run` raises; then
    nothing was written.
    """
    with database.transaction() as tx:
        parent = children.parent_of(tx, lease.run_id)
        if parent is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        project = _project(tx, lease, parent)
        # What a limit of the child's locks comes before the parent's row.
        checked = check_start(tx, project, _start_request(lease, parent, step, request), settings, box)
        held = children.hold_parent(tx, lease.run_id, lease.attempt, step.identity)
        if held is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        if held.child_run_id is not None:
            return ChildStarted(held.child_run_id)
        started = insert_start(tx, project, checked, settings)
        if not started.created and children.descends_from(tx, lease.run_id, started.run_id):
            raise ChildIsAncestor(key=request.key, run_id=started.run_id)
        begun = replace(step, child_run_id=started.run_id)
        steps.record(tx, lease.run_id, lease.attempt, begun, texts_of(begun, settings.payload_limit))
        crash_point("child-starting")
    crash_point("child-started")
    return ChildStarted(started.run_id, started.woken)


def _project(tx: Tx, lease: Lease, parent: Parent) -> access.Project:
    project = access.find_project(Scope(parent.organization_id), tx, lease.project_id)
    if project is None:
        raise ProjectNotFound(project=lease.project_id)
    return project


def _start_request(lease: Lease, parent: Parent, step: Step, request: ChildRequest) -> StartRequest:
    value = f"workflow_tool:{lease.run_id}"
    lineage = Lineage(lease.run_id, step.identity, parent.root_run_id, detached=request.detached)
    return StartRequest(
        workflow=request.workflow,
        input=request.input,
        trigger=Trigger("workflow_tool", f"Workflow · {parent.workflow_name}", value),
        actor=Actor("workflow", parent.workflow, parent.workflow_name),
        tags=request.tags,
        idempotency_key=request.key,
        traceparent=traceparent(lease.trace_id, request.span_id),
        lineage=lineage,
    )
