"""The lease: the right of one attempt to execute a run, or a tick of a poll."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from keystroke.domain.actor import Actor, Trigger


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a slot of a worker, which has imported one deployment's code and serves some queues.

    `workflows` are the slugs in that code, and the ids of its attachments that have a transform: while a new deployment rolls
    out, a run of a workflow, or behind a transform, that only the new code has is not for workers of the old one. None: it has
    whatever comes. `polls` are those of its sources that are polls: it claims
    the ticks of these alone.
    """

    worker_id: str
    project_id: str
    deployment_id: str
    queues: tuple[str, ...]
    slot: int
    workflows: tuple[str, ...] | None = None
    polls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one attempt to execute a run, and what it needs for that.

    Every write of the attempt names `run_id` and `attempt`; once another attempt has the run they change nothing. `input` is
    as recorded (secrets sealed); `admitted` says that it was validated by an earlier attempt; `active` is the time that
    earlier attempts worked; `more` that other runs wait which this claimant might run; `timeout` bounds the time that all
    attempts work together, `budget` what the run may cost. `behind_transform` is the id of the attachment whose transform makes
    the input from the trigger's payload; `unkeyed` says that the keys of the run's limits are yet to be made from the input.
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
    behind_transform: str | None = None
    unkeyed: bool = False

    @property
    def id(self) -> str:
        """Of what is leased: the run."""
        return self.run_id


@dataclass(frozen=True, slots=True)
class TickLease:
    """The right of one attempt to execute a tick of a poll.

    Every write of the attempt names `tick_id` and `attempt`, as a run's does. `source` is the poll's slug; `scheduled_at` the
    time that the tick stands for, `previous` the one before it, and `missed` how many in between nobody looked at; `origin` is
    empty for a tick of the clock; `dry_run`: it shows what would start, and changes nothing. `timeout` bounds the time that all
    attempts work together, of which `active` is over; `failures` counts the earlier attempts that ended in an error; `more` says
    that other work waits, which this claimant might do.
    """

    tick_id: str
    attempt: int
    project_id: str
    worker_id: str
    source_id: str
    source: str
    queue: str
    scheduled_at: datetime
    previous: datetime | None
    origin: str
    dry_run: bool
    timeout: timedelta
    active: timedelta
    failures: int
    trace_id: str
    cancel_requested: bool
    more: bool
    missed: int = 0

    @property
    def id(self) -> str:
        """Of what is leased: the tick."""
        return self.tick_id


#: What a claim gives: a worker's child executes the one or the other, by the same rules.
AnyLease: TypeAlias = Lease | TickLease
