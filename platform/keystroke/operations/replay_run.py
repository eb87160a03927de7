"""Replay a run: a new run of the same workflow with the same input, or an edited one; from the beginning, or from a step.

From a step, the new run begins with copies of the steps before it, so that only the rest is executed. Copies are taken by their
identity alone: with an edited input they keep the results of the old one.

A step is *before* the named one if it was on record as final (`success` or `failed`) and did not start after it. So in one
line of calls it is everything above the named step; of branches that ran side by side (`gather`, `ctx.map`), what had started
by then. Nothing that is copied depends on what is executed again. A hook is more than that: its answer comes from outside, and
may have come because of what the named step did. It is copied with its answer if that was on record before the named step's
own result; otherwise, and while it still waits, not at all: the new run asks anew. A child that has ended is copied even if
nobody has asked for its result so far. A step that was tried again and has not ended begins with its first try.

A transform is executed again, by the code of the day and with the same payload, where the replay begins with its step, and where
there is no input because it failed; unless an edited input takes the place of what it would make.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any, Final

from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.editing import Edited, leaves
from keystroke.domain.lineage import Lineage
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.payload import check_depth, decode_payload, encode_payload
from keystroke.domain.run import Run
from keystroke.domain.scope import Scope
from keystroke.domain.secrets import open_sealed
from keystroke.domain.step import TRANSFORM_MARK, StepStatus
from keystroke.errors import (
    InputNotRecorded,
    InvalidInput,
    NoFailedStep,
    PathError,
    SecretUnreadable,
    StepNotFound,
)
from keystroke.operations.check_input import check_input, refuse_reserved, seal_secrets
from keystroke.operations.start_run import RecordedInput, StartedRun, StartRequest, start_in
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, copies, deployments, history
from keystroke.store.access import Project

#: As `from_step`: the first step that failed. No identity is like it, since all of them hold a `#`.
FIRST_FAILED: Final = "failed"
_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class EditedInput:
    """An input in place of the recorded one. Where it says `[redacted]`, as the recorded one is shown, that value stays."""

    value: Any


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A wish to replay a run. `from_step` is a step's identity as shown (`charge#0`), or FIRST_FAILED; None: all of it."""

    run_id: str
    actor: Actor
    from_step: str | None = None
    input: EditedInput | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None


def replay_run(
    database: Database, scope: Scope, request: ReplayRequest, settings: Settings, box: Box | None
) -> StartedRun:
    """Start a replay, of a run in any status; wake a worker as after a start.

    Raises RunNotFound, WorkflowNotFound (it is no longer published), StepNotFound, NoFailedStep, InputNotRecorded, and what a
    start raises for an edited input; then nothing was inserted.
    """
    with database.transaction() as tx:
        source = history.get_run(
            Scope(scope.organization_id, scope.project_ids, payloads=False), tx, request.run_id
        )
        project = access.get_project(scope, tx, source.project)
        workflow = deployments.get_workflow(scope, tx, project, source.workflow)
        from_step = _step(tx, source, request.from_step)
        transform = _transform(tx, source, request, from_step)
        from_step = None if from_step is None or from_step.startswith(TRANSFORM_MARK) else from_step
        if transform is None:
            recorded = _input(tx, project, workflow, source, request, settings, box)
        else:
            recorded = RecordedInput("null", _known_by(source, request))
        wanted = _start(tx, source, request, from_step, recorded)
        started = start_in(tx, project, replace(wanted, behind_transform=transform), settings, box)
        if started.created and from_step is not None:
            copies.copy_steps(tx, source.id, started.run_id, from_step)
        if started.created:
            access.audit(tx, scope.organization_id, request.actor, "run.replay", source.id, started.run_id)
        crash_point("run-inserted")
    crash_point("run-started")
    return started


def _start(
    tx: Tx, source: Run, request: ReplayRequest, from_step: str | None, recorded: RecordedInput
) -> StartRequest:
    """Tags are those that the source has by now: its code may have set some before the step."""
    seed = None if from_step is None else copies.seed_of(tx, source.id)
    return StartRequest(
        workflow=source.workflow, input=None, recorded=recorded, trigger=_trigger(tx, source, from_step), actor=request.actor,
        tags=source.tags, priority=source.priority, idempotency_key=request.idempotency_key,
        traceparent=request.traceparent, lineage=Lineage(replay_of=source.id, seed=seed),
    )  # fmt: skip


def _trigger(tx: Tx, source: Run, from_step: str | None) -> Trigger:
    """What the source was told of its trigger the replay is told, too."""
    label = "Replay" if from_step is None else f"Replay · from {from_step}"
    payload = decode_payload(copies.trigger_payload(tx, source.id))
    value = f"replay:{source.id}"
    return replace(source.trigger, type="replay", label=label, value=value, payload=payload, fired_at=None)


def _transform(tx: Tx, source: Run, request: ReplayRequest, from_step: str | None) -> str | None:
    """The attachment whose transform is to make the input again; None where there is an input, or no transform."""
    if request.input is not None:
        return None
    begins_there = from_step is not None and from_step.startswith(TRANSFORM_MARK)
    if not begins_there and copies.recorded_input(tx, source.id) is not None:
        return None
    return copies.attachment_of(tx, source.id)


def _step(tx: Tx, source: Run, wanted: str | None) -> str | None:
    """The identity of the step to replay from."""
    if wanted is None:
        return None
    found = copies.identities_of(tx, source.id)
    identities = [identity for identity, _ in found]
    if wanted == FIRST_FAILED:
        failed = [identity for identity, status in found if status == StepStatus.FAILED]
        if not failed:
            raise NoFailedStep(run_id=source.id, hint=_hint(identities))
        return failed[0]
    if wanted not in identities:
        near = difflib.get_close_matches(wanted, identities, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else _hint(identities)
        raise StepNotFound(run_id=source.id, step=wanted, hint=hint)
    return wanted


def _hint(identities: list[str]) -> str:
    if not identities:
        return "It has none on record: replay all of it."
    more = len(identities) - _MOST_NAMED
    return f"There are {', '.join(identities[:_MOST_NAMED])}{f' and {more} more' if more > 0 else ''}."


def _input(
    tx: Tx, project: Project, workflow: WorkflowManifest, source: Run, request: ReplayRequest, settings: Settings,
    box: Box | None,
) -> RecordedInput:  # fmt: skip
    """The recorded input as it is, or the edited one after the checks of a start."""
    known_by = _known_by(source, request)
    text = copies.recorded_input(tx, source.id)
    if request.input is None:
        if text is None:
            raise InputNotRecorded(run_id=source.id)
        return RecordedInput(text, known_by)
    check_depth(request.input.value, what="input")
    plain = encode_payload(request.input.value, what="input", limit=settings.payload_limit)
    refuse_reserved(workflow, plain)
    edited = Edited(
        request.input.value, decode_payload(text), frozenset(key.lower() for key in settings.redact)
    )
    if edited.unclear:
        raise InvalidInput(what=f"workflow {workflow.slug}", errors=edited.unclear)
    _check_edited(project, workflow, edited, box)
    sealed = encode_payload(seal_secrets(workflow, edited.value, box), what="input")
    return RecordedInput(sealed, {**known_by, "input": plain})


def _known_by(source: Run, request: ReplayRequest) -> dict[str, Any]:
    return {"replay_of": source.id, "from_step": request.from_step}


def _check_edited(project: Project, workflow: WorkflowManifest, edited: Edited, box: Box | None) -> None:
    """By the schema, with what was kept opened: it is not told where something is wrong with it."""
    value, kept = edited.value, edited.kept
    try:
        if box is not None:
            value, kept = open_sealed(value, box.decrypt), open_sealed(kept, box.decrypt)
    except SecretUnreadable as error:
        raise InvalidInput(what=f"workflow {workflow.slug}", errors=[PathError("$", str(error))]) from error
    hidden = frozenset(leaf for leaf in leaves(kept) if isinstance(leaf, str | int | float))
    check_input(workflow, project.current_deployment_id or "", value, hidden)
