"""The lease: the right of one attempt to execute a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from keystroke.domain.actor import Actor, Trigger


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a slot of a worker, which has imported one deployment's code and serves some queues.

    `workflows` are the slugs in that code: while a new deployment rolls out, a run of a workflow that only the new code has
    is not for workers of the old one. None: it has whatever comes.
    """

    worker_id: str
    project_id: str
    deployment_id: str
    queues: tuple[str, ...]
    slot: int
    workflows: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one attempt to execute a run, and what it needs for that.

    Every write of the attempt names `run_id` and `attempt`; once another attempt has the run they change nothing. `input` is
    as recorded (secrets sealed); `admitted` says that it was validated by an earlier attempt; `active` is the time that
    earlier attempts worked; `more` that other runs wait which this claimant might run; `timeout` bounds the time that all
    attempts work together, `budget` what the run may cost; `behind_transform`: the input is yet to be made from the trigger's
    payload, by the transform of the attachment that started the run.
    """

    run_id: str
    attempt: int
    project_id: str
    worker_id: str
    workflow: str
    queue: str
    input: Any
    admitted: bool
    seed: str
    trace_id: str
    parent_span_id: str | None
    trigger: Trigger
    actor: Actor
    tags: dict[str, str]
    failures: int
    max_attempts: int
    retry: dict[str, Any] | None
    parent_run_id: str | None
    root_run_id: str
    started_at: datetime
    active: timedelta
    cancel_requested: bool
    more: bool
    timeout: timedelta | None = None
    budget: Decimal | None = None
    behind_transform: bool = False
