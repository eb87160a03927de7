"""The run record, as everybody sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.states import Reason, Status
from keystroke.domain.usage import UsageItem


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run says it is: `fraction` between 0 and 1 or None, and a sentence."""

    fraction: float | None
    message: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workflow. Times are aware UTC datetimes; `input`, `output`, `error` are JSON values.

    `project` and `organization` are slugs, `deployment` is the id of the code version of its first claim.
    """

    id: str
    kind: str
    workflow: str
    workflow_name: str
    project: str
    organization: str
    status: Status
    status_reason: Reason | None
    trigger: Trigger
    actor: Actor
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    attempt: int
    failures: int
    recoveries: int
    active_ms: int
    step_count: int
    total_cost: Decimal
    currency: str
    progress: Progress | None
    parent_run_id: str | None
    root_run_id: str
    replay_of: str | None
    deployment: str | None
    cancel_requested_at: datetime | None
    idempotency_key: str | None
    priority: int
    queue: str
    expires_at: datetime | None
    trace_id: str
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    usage: tuple[UsageItem, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One transition of a run: when, to what, why, by whom; `worker` and `attempt` where an attempt was involved."""

    at: datetime
    transition: str
    status: Status
    reason: Reason | None
    attempt: int
    worker: str | None
    actor: Actor


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claim of a run: which worker, from when to when, and the transition that ended it (None: it is alive)."""

    number: int
    worker: str | None
    started_at: datetime
    ended_at: datetime | None
    ended: str | None
