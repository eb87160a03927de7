"""What answers look like: the models that describe them in the OpenAPI document.

The JSON itself is made by `keystroke.domain.presentation`; a test holds every answer against these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel

from keystroke.domain.actor import ActorType, TriggerType
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepKind, StepStatus
from keystroke.domain.usage import UsageKind
from keystroke_api.problems import Problem

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Cursor = Annotated[str | None, Field(description="Give it as `cursor` to go on; opaque.")]


class Started(BaseModel):
    """A run that is recorded: it will be executed, whatever dies."""

    run_id: str
    status: Status
    url: str


class StartedRuns(BaseModel):
    """For each item, in order, the run or what was wrong with it."""

    data: list[Started | Problem]


class Trigger(BaseModel):
    """What started the run. `payload` is not in lists; what has no default here is there for schedules alone."""

    type: TriggerType
    label: str
    value: str | None
    id: str | None
    payload: Any = None
    fired_at: Time | None
    scheduled_at: Time | None = Field(default=None, description="The time that a schedule's run stands for.")
    previous_fire: Time | None = Field(
        default=None, description="The time before, for which the schedule fired."
    )
    missed: int = Field(default=0, description="How many times of a schedule passed before it without a run.")


class Actor(BaseModel):
    """Who did it."""

    type: ActorType
    id: str
    name: str


class LineItem(BaseModel):
    """So much of something, and what it cost; exact decimals as texts."""

    kind: UsageKind
    name: str
    quantity: str
    unit: str
    cost: str
    currency: str
    step: str | None


class Usage(BaseModel):
    """What the run used and cost; `active_ms` is time on a worker."""

    active_ms: int
    line_items: list[LineItem]
    total_cost: str
    currency: str
    models: list[str]
    services: list[str]


class Progress(BaseModel):
    """How far the run says it is."""

    fraction: float | None
    message: str | None
    updated_at: Time


class RunSummary(BaseModel):
    """A run as lists show it."""

    id: str
    kind: Literal["workflow"]
    workflow: str
    workflow_name: str
    project: str
    organization: str
    status: Status
    status_reason: Reason | None
    trigger: Trigger
    actor: Actor
    created_at: Time
    queued_at: Time
    started_at: Time | None
    finished_at: Time | None
    duration_ms: int | None
    queue_ms: int | None
    attempt: int
    failures: int
    recoveries: int
    usage: Usage
    progress: Progress | None
    tags: dict[str, str]
    step_count: int
    parent_run_id: str | None
    root_run_id: str
    replay_of: str | None
    deployment: str | None
    cancel_requested_at: Time | None
    idempotency_key: str | None
    priority: int
    queue: str
    expires_at: Time | None
    trace_id: str


class RunError(BaseModel):
    """Why a run or a step failed; `stack` holds the frames of the project's own code."""

    type: str
    message: str
    reason: str | None = None
    stack: list[dict[str, Any]] = []
    step: str | None = None
    retryable: bool = False
    fingerprint: str | None = None


class Step(BaseModel):
    """One recorded call inside the run."""

    key: str
    identity: str
    name: str
    kind: StepKind
    status: StepStatus
    attempt: int
    input: Any
    output: Any
    error: RunError | None
    started_at: Time
    finished_at: Time | None
    duration_ms: int | None
    child_run_id: str | None
    due_at: Time | None = Field(description="When a sleep is over, or the next try begins.")
    copied_from: str | None = Field(description="The replayed run whose record this is a copy of.")
    tries: list[dict[str, Any]]


class Span(BaseModel):
    """A span in OpenTelemetry's terms."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    start: Time
    end: Time | None
    status: str
    attributes: dict[str, Any]
    events: list[dict[str, Any]]


class Log(BaseModel):
    """A log record in OpenTelemetry's terms."""

    time: Time
    severity: str
    body: str
    logger: str
    span_id: str | None
    step: str | None


class Trace(BaseModel):
    """The first spans and logs of the run; all of them are under its `spans` and `logs`."""

    trace_id: str
    spans: list[Span]
    logs: list[Log]


class Attempt(BaseModel):
    """One claim of the run by a worker; `ended` is the transition that ended it."""

    number: int
    worker: str | None
    started_at: Time
    ended_at: Time | None
    ended: str | None


class TimelineEntry(BaseModel):
    """One transition of the run."""

    at: Time
    transition: str
    status: Status
    reason: Reason | None
    attempt: int
    worker: str | None
    actor: Actor


class RunDocument(RunSummary):
    """A run, with what else of it was asked for."""

    status_detail: str = Field(description="Why it is where it is, in a sentence for people.")
    input: Any
    output: Any
    error: RunError | None
    steps: list[Step] | None = Field(default=None, description="With include=steps.")
    trace: Trace | None = Field(default=None, description="With include=trace.")
    attempts: list[Attempt] | None = Field(default=None, description="With include=attempts.")
    timeline: list[TimelineEntry] | None = Field(default=None, description="With include=timeline.")


class RunList(BaseModel):
    """Part of the list, newest first."""

    data: list[RunSummary]
    next_cursor: Cursor
    has_more: bool


class LogList(BaseModel):
    """Part of a run's logs, oldest first; `next_cursor` also finds the lines that are yet to come."""

    data: list[Log]
    next_cursor: Cursor
    has_more: bool


class SpanList(BaseModel):
    """Part of a run's spans, in order of writing; `next_cursor` also finds the spans that are yet to come."""

    data: list[Span]
    next_cursor: Cursor
    has_more: bool


class StartAnswer(RootModel[RunDocument | Started]):
    """The whole run where it was waited for, else where it is found."""


class ProjectDocument(BaseModel):
    """A project; `deployment` is its current one."""

    id: str
    slug: str
    name: str
    organization: str
    deployment: str | None


class ProjectList(BaseModel):
    """The projects, oldest first."""

    data: list[ProjectDocument]


class LastRun(BaseModel):
    """The newest run of a workflow."""

    id: str
    status: Status
    at: Time


class WorkflowDocument(BaseModel):
    """A workflow as it was published; times are seconds. `success_rate` is of its newest finished runs."""

    slug: str
    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    queue: str
    priority: int
    timeout: float | None
    max_attempts: int
    retry: dict[str, Any] | None
    idempotency_ttl: float
    retention: float | None
    budget: str | None
    tags: dict[str, str]
    tool: bool
    durability: str
    source: str
    triggers: list[dict[str, Any]]
    last_run: LastRun | None
    finished_runs: int
    success_rate: float | None


class WorkflowList(BaseModel):
    """The workflows, by slug."""

    data: list[WorkflowDocument]


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Requests are served; `degraded` while the broker is away, when runs start a moment later."""

    status: Literal["ok", "degraded"]
    database: Literal["ok"]
    broker: Literal["ok", "degraded"]


class OpenApi(RootModel[dict[str, Any]]):
    """An OpenAPI document."""
