"""Start runs: validate, take the idempotency key, insert. Acknowledged means committed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from keystroke import ids
from keystroke.box import Box
from keystroke.clock import rfc3339
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.keys import RunLimits, limits_of
from keystroke.domain.lineage import NO_LINEAGE, Lineage
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.payload import decode_payload, digest, encode_payload
from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.domain.traceparent import parse_traceparent
from keystroke.errors import IdempotencyConflict, InvalidInput, KeystrokeError
from keystroke.operations.admission import Admitted, Ticket, admit, reserve, ticket_of
from keystroke.operations.canceling import CancelRequested
from keystroke.operations.check_input import (
    check_input,
    refuse_reserved,
    refuse_unstorable_tags,
    seal_secrets,
)
from keystroke.operations.keep_payload import seal_named, seal_texts
from keystroke.settings import Settings
from keystroke.store import Database, Tx, deployments, history, idempotency, runs
from keystroke.store.access import Project

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordedInput:
    """An input that was checked before: its canonical text secrets sealed, and what the start is known by if repeated."""

    text: str
    known_by: Any


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A wish to start a run. `input` is the JSON value as given; `priority` None is the workflow's own.

    With `recorded` that input is taken as it is, in place of `input`. With `behind_transform`, the id of an attachment, there is
    none yet: the first attempt makes it from the trigger's payload. With `keeps_invalid` an input that does not fit is no
    refusal: what came from outside is not lost, but a run whose first attempt fails as `invalid_input`.
    """

    workflow: str
    input: Any
    trigger: Trigger
    actor: Actor
    tags: dict[str, str] = field(default_factory=dict)
    priority: int | None = None
    run_at: datetime | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None
    lineage: Lineage = NO_LINEAGE
    recorded: RecordedInput | None = None
    behind_transform: str | None = None
    keeps_invalid: bool = False


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that is committed. `created` is False when the idempotency key pointed to an earlier start.

    Wake a worker of `project_id` and `queue` when it was created and is `due`. `canceled` are the runs that a limit has
    canceled with this start, itself perhaps: tell the workers of those that are running, wake the queues that they name.
    """

    run_id: str
    status: Status
    project_id: str
    queue: str
    created: bool
    due: bool
    canceled: tuple[CancelRequested, ...] = ()

    @property
    def woken(self) -> tuple[tuple[str, str], ...]:
        """The queues to wake, each a (project id, queue)."""
        own = ((self.project_id, self.queue),) if self.created and self.due else ()
        return own + tuple(queue for each in self.canceled for queue in each.woken)


@dataclass(frozen=True, slots=True)
class CheckedStart:
    """A request that may be inserted: its workflow, and its payloads as they are recorded."""

    request: StartRequest
    workflow: WorkflowManifest
    input_text: str | None
    trigger_text: str | None
    digest: str
    limits: RunLimits

    @property
    def ticket(self) -> Ticket | None:
        """Its claim to a place, where its workflow limits them."""
        return ticket_of(self.limits)


def start_run(
    database: Database, project: Project, request: StartRequest, settings: Settings, box: Box | None
) -> StartedRun:
    """Validate and insert one run.

    Raises WorkflowNotFound, InvalidInput, NotJson, PayloadTooLarge, IdempotencyConflict; then nothing was inserted.
    """
    with database.transaction() as tx:
        started = start_in(tx, project, request, settings, box)
        crash_point("run-inserted")
    crash_point("run-started")
    return started


def start_runs(
    database: Database,
    project: Project,
    requests: Sequence[StartRequest],
    settings: Settings,
    box: Box | None,
) -> list[StartedRun | KeystrokeError]:
    """Start many in one transaction: for each, in order, the run or what was wrong with it."""
    with database.transaction() as tx:
        checked = [_or_error(partial(_check, tx, project, each, settings, box)) for each in requests]
        _reserve(tx, project, [each for each in checked if isinstance(each, CheckedStart)])
        started = [
            each
            if isinstance(each, KeystrokeError)
            else _or_error(partial(insert_start, tx, project, each, settings))
            for each in checked
        ]
        crash_point("runs-inserted")
    crash_point("runs-started")
    return _as_of_the_end(started)


def _as_of_the_end(started: list[StartedRun | KeystrokeError]) -> list[StartedRun | KeystrokeError]:
    """A later start of the same transaction may have replaced an earlier one."""
    runs_started = [each for each in started if isinstance(each, StartedRun)]
    gone = {other.run_id for each in runs_started for other in each.canceled if other.status.terminal}
    return [
        replace(each, status=Status.CANCELED, due=False)
        if isinstance(each, StartedRun) and each.run_id in gone
        else each
        for each in started
    ]


def _or_error(call: Callable[[], T]) -> T | KeystrokeError:
    """Everything that can be refused is refused before the first write, so the transaction stays good."""
    try:
        return call()
    except KeystrokeError as error:
        return error


def start_in(
    tx: Tx, project: Project, request: StartRequest, settings: Settings, box: Box | None
) -> StartedRun:
    """`start_run` as a part of the caller's transaction; what it refuses is refused before the first write."""
    return insert_start(tx, project, check_start(tx, project, request, settings, box), settings)


def start_all_in(
    tx: Tx, project: Project, requests: Sequence[StartRequest], settings: Settings, box: Box | None
) -> list[StartedRun]:
    """`start_in` for several at once: all are checked before the first write, and none is started if one is refused."""
    checked = [_check(tx, project, each, settings, box) for each in requests]
    _reserve(tx, project, checked)
    started = [insert_start(tx, project, each, settings) for each in checked]
    return [each for each in _as_of_the_end(list(started)) if isinstance(each, StartedRun)]


def reserve_all(
    tx: Tx, project: Project, requests: Sequence[StartRequest], settings: Settings, box: Box | None
) -> None:
    """Take the locks of several `start_all_in` to come in the same transaction, in the order in which all starts take them."""
    _reserve(tx, project, [_check(tx, project, each, settings, box) for each in requests])


def check_start(
    tx: Tx, project: Project, request: StartRequest, settings: Settings, box: Box | None
) -> CheckedStart:
    """The first half of `start_in`: refuse what can be refused, and take the locks that come before any run's row."""
    checked = _check(tx, project, request, settings, box)
    _reserve(tx, project, [checked])
    return checked


def _reserve(tx: Tx, project: Project, checked: Sequence[CheckedStart]) -> None:
    reserve(tx, project.id, [each.ticket for each in checked if each.ticket is not None])


def insert_start(tx: Tx, project: Project, checked: CheckedStart, settings: Settings) -> StartedRun:
    """The other half of `start_in`: take the key, insert the run, and admit it."""
    run_id = ids.new_run_id()
    earlier = _take_key(tx, project, checked, run_id)
    if earlier is not None:
        return earlier
    due = runs.insert_run(tx, _new_run(project, checked, run_id))
    admitted = Admitted()
    if checked.ticket is not None:
        admitted = admit(tx, project.id, run_id, checked.ticket, settings)
    due = due and admitted.status is Status.QUEUED
    return StartedRun(
        run_id, admitted.status, project.id, checked.workflow.queue, True, due, admitted.canceled
    )


def _check(
    tx: Tx, project: Project, request: StartRequest, settings: Settings, box: Box | None
) -> CheckedStart:
    scope = Scope(project.organization_id)
    workflow = deployments.get_workflow(scope, tx, project, request.workflow)
    limit = settings.payload_limit
    refuse_unstorable_tags(workflow, request.tags)
    recorded, fits = _recorded_input(project, workflow, request, limit, box)
    payload = _kept_payload(workflow, request, fits, box)
    identity = recorded.known_by
    if request.recorded is None:
        identity = {
            "input": recorded.known_by, "tags": request.tags, "priority": request.priority,
            "run_at": rfc3339(request.run_at),
        }  # fmt: skip
    return CheckedStart(
        request=replace(request, tags={**workflow.tags, **request.tags}),
        workflow=workflow,
        input_text=None if request.behind_transform is not None else recorded.text,
        trigger_text=None
        if payload is None
        else encode_payload(payload, what="trigger payload", limit=limit),
        digest=digest(encode_payload(identity, what="start")),
        limits=_limits(workflow, recorded if fits else None, {**workflow.tags, **request.tags}),
    )


def _recorded_input(
    project: Project, workflow: WorkflowManifest, request: StartRequest, limit: int, box: Box | None
) -> tuple[RecordedInput, bool]:
    """What is recorded as the input, and whether it is one by the schema, so that keys can be made of it."""
    if request.behind_transform is not None:
        return request.recorded or RecordedInput("null", None), False
    if request.recorded is not None:
        return request.recorded, True
    try:
        return _checked_input(project, workflow, request.input, limit, box), True
    except InvalidInput:
        if not request.keeps_invalid:
            raise
    encode_payload(request.input, what="input", limit=limit)
    text = encode_payload(seal_texts(workflow.input_schema, request.input, box), what="input")
    return RecordedInput(text, None), False


def _kept_payload(workflow: WorkflowManifest, request: StartRequest, fits: bool, box: Box | None) -> Any:
    """The trigger's payload. Where it is the input as well, its secrets are those of the input."""
    payload = request.trigger.payload
    if payload is None or not request.keeps_invalid or request.behind_transform is not None:
        return payload
    keep = seal_named if fits else seal_texts
    return keep(workflow.input_schema, payload, box)


def _limits(workflow: WorkflowManifest, recorded: RecordedInput | None, tags: dict[str, str]) -> RunLimits:
    """The keys stay as they are from the admission on; without an input the first attempt is yet to make them."""
    if recorded is None:
        return RunLimits(None, None, workflow.concurrency, workflow.rate_limit)
    return limits_of(workflow, lambda: decode_payload(recorded.text), tags)


def _checked_input(
    project: Project, workflow: WorkflowManifest, value: Any, limit: int, box: Box | None
) -> RecordedInput:
    plain = encode_payload(value, what="input", limit=limit)
    refuse_reserved(workflow, plain)
    check_input(workflow, project.current_deployment_id or "", value)
    return RecordedInput(encode_payload(seal_secrets(workflow, value, box), what="input"), plain)


def _take_key(tx: Tx, project: Project, checked: CheckedStart, run_id: str) -> StartedRun | None:
    """None when the run may be inserted; else the run of an equal earlier start."""
    key = checked.request.idempotency_key
    if key is None:
        return None
    earlier = idempotency.take_key(
        tx, project_id=project.id, workflow=checked.workflow.slug, key=key, run_id=run_id, digest=checked.digest,
        ttl_us=round(checked.workflow.idempotency_ttl * 1_000_000),
    )  # fmt: skip
    if earlier is None:
        return None
    if earlier.digest != checked.digest:
        raise IdempotencyConflict(key=key, run_id=earlier.run_id)
    run = history.get_run(Scope(project.organization_id, payloads=False), tx, earlier.run_id)
    return StartedRun(run.id, run.status, project.id, run.queue, created=False, due=False)


def _new_run(project: Project, checked: CheckedStart, run_id: str) -> runs.NewRun:
    request, workflow = checked.request, checked.workflow
    trace_id, parent_span_id = parse_traceparent(request.traceparent)
    return runs.NewRun(
        id=run_id, organization_id=project.organization_id, project_id=project.id, workflow=workflow,
        trigger=request.trigger, trigger_payload=checked.trigger_text, actor=request.actor, input=checked.input_text,
        tags=request.tags, priority=workflow.priority if request.priority is None else request.priority,
        run_at=request.run_at, idempotency_key=request.idempotency_key, trace_id=trace_id or secrets.token_hex(16),
        parent_span_id=parent_span_id, seed=request.lineage.seed or secrets.token_hex(16), lineage=request.lineage,
        limits=checked.limits, behind_transform=request.behind_transform,
    )  # fmt: skip
