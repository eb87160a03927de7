"""What answers about triggers look like: the models that describe them in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from keystroke.domain.backfill import BackfillStatus
from keystroke.domain.source import Outcome, SourceKind
from keystroke.domain.trigger_health import HealthStatus
from keystroke_api.problems import ProblemError
from keystroke_api.rest.documents import Actor, Cursor, Log, Span, Time


class TriggerEventDocument(BaseModel):
    """A delivery or a tick."""

    id: str
    kind: SourceKind
    trigger: str = Field(description="Slug of the trigger.")
    at: Time
    scheduled_at: Time | None = Field(description="The time that a tick stands for.")
    outcome: Outcome | None = Field(description="null while a poll is under way.")
    origin: str = Field(
        description="Empty for the clock and for what was posted; else `backfill:<id>`, `invoke:<id>` or `replay:<delivery>`."
    )
    dry_run: bool
    missed: int = Field(description="How many times before it nothing was fired for.")
    run_ids: list[str] = Field(description="The runs that it started; they may be deleted by now.")
    error: Any
    started_at: Time | None
    finished_at: Time | None
    attempt: int
    actor: Actor | None = Field(description="Whoever fired it by hand.")


class TriggerEventList(BaseModel):
    """Part of the list, newest first."""

    data: list[TriggerEventDocument]
    next_cursor: Cursor
    has_more: bool


class EventTrace(BaseModel):
    """The first spans and log lines of a tick."""

    trace_id: str | None
    spans: list[Span]
    logs: list[Log]


class TriggerEventDetail(TriggerEventDocument):
    """A delivery or a tick, with what it found and its trace."""

    found: Any = Field(description="What a poll has found, or would start as a dry run.")
    trace: EventTrace


class WouldStart(BaseModel):
    """A run that would be."""

    attachment: str
    workflow: str
    transform: bool = Field(description="Its input is made by a transform, which its first attempt executes.")
    payload: Any
    input: Any = Field(description="null behind a transform.")
    errors: list[ProblemError] = Field(
        description="Where the input does not fit the workflow: the run would fail."
    )


class DryRun(BaseModel):
    """What would have been started; nothing was. Of a poll it is in `event`, once its tick has ended."""

    event: TriggerEventDetail | None = Field(description="Of a poll: the tick that a worker executes.")
    errors: list[ProblemError] = Field(description="Where the payload does not fit: it would be refused.")
    held: str | None = Field(description="Why the trigger starts nothing of itself at the moment.")
    would_start: list[WouldStart]


class HealthDocument(BaseModel):
    """How a trigger is doing."""

    status: HealthStatus
    why: str | None
    until: Time | None = Field(description="When a pause ends.")


class AttachmentDocument(BaseModel):
    """A workflow that the trigger starts."""

    id: str = Field(description="`trigger:workflow`, the value of a run's trigger.")
    workflow: str
    transform: bool
    filter: bool
    disabled_at: Time | None


class Signing(BaseModel):
    """How whoever posts to a webhook signs."""

    scheme: str
    secret: str | None = Field(description="The name that the secret goes by.")
    how: str


class TriggerSummary(BaseModel):
    """A trigger as lists show it; `options` are as published, durations in seconds."""

    id: str
    slug: str
    kind: SourceKind
    name: str
    description: str
    project: str
    source: str = Field(description="Where it stands in the code.")
    options: dict[str, Any]
    attachments: list[AttachmentDocument]
    health: HealthDocument
    created_at: Time
    retired_at: Time | None
    disabled_at: Time | None
    paused_until: Time | None
    armed_at: Time = Field(description="Since when failures in a row and an expected success count.")
    next_at: Time | None = Field(description="When it fires next, as far as the clock decides that.")
    last_at: Time | None = Field(description="The newest time that the clock has decided on.")
    failures: int = Field(description="In a row.")
    refused: int = Field(description="Deliveries whose signature was wrong or missing.")
    refused_at: Time | None
    last_event: TriggerEventDocument | None
    url: str | None = Field(description="Where a webhook is posted to.")
    signing: Signing | None


class TriggerDocument(TriggerSummary):
    """A trigger."""

    payload_schema: dict[str, Any] | None = Field(
        description="JSON Schema of what it brings; null: anything."
    )
    counts: dict[str, int] = Field(
        description="Its newest 100 events by outcome; `under_way` for those without one."
    )


class TriggerList(BaseModel):
    """The triggers, by project and slug."""

    data: list[TriggerSummary]


class Fire(BaseModel):
    """A time at which a trigger fires."""

    at: Time
    local: str = Field(description="What the clocks of its zone show then.")
    due_at: Time = Field(description="The same with the jitter.")


class FireList(BaseModel):
    """The next times, soonest first; fewer than asked for where the trigger ends."""

    data: list[Fire]


class BackfillDocument(BaseModel):
    """A schedule fired for the times of a range: its beginning belongs to it, its end does not."""

    id: str
    trigger: str
    trigger_id: str
    from_: Time = Field(alias="from")
    to: Time
    reprocess: bool
    status: BackfillStatus
    total: int = Field(description="Times in the range.")
    fired: int
    skipped: int = Field(description="Times that had been fired for, by the clock or by another backfill.")
    failed: int = Field(description="Times for which nothing could be started.")
    error: str | None = Field(description="Why it has failed.")
    created_at: Time
    updated_at: Time
    finished_at: Time | None
    actor: Actor


class BackfillPlanDocument(BaseModel):
    """What a backfill would do; there is none."""

    dry_run: Literal[True]
    total: int = Field(description="Times in the range.")
    fires: int = Field(description="Times that would be fired for.")
    skipped: int = Field(description="Times that were fired for already.")
    times: list[Time] = Field(description="The first 100 that would be fired for.")


class BackfillList(BaseModel):
    """Part of the list, newest first."""

    data: list[BackfillDocument]
    next_cursor: Cursor
    has_more: bool


class StateDocument(BaseModel):
    """What a poll goes on from."""

    state: Any = Field(description="null before the first one.")
    version: str = Field(description="Names this state, for an edit of it; also the `ETag`.")
    updated_at: Time | None
    updated_by: str | None = Field(description="The tick that wrote it, or whoever has edited it.")
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of the state.")
    under_way: str | None = Field(
        description="A tick that has not ended. If the state is edited meanwhile, nothing of that tick counts."
    )
