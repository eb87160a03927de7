"""Ticks of polls under lease: claimed, given back, recovered and ended as runs are, each write guarded by the tick's attempt.

A tick is `queued`, `running` or `ended`. Nobody waits for a lock here but an end for the one before it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.lease import Claimant, TickLease
from keystroke.domain.source import Outcome
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

#: How long a tick may work where its poll does not say: five minutes.
DEFAULT_TIMEOUT: Final = timedelta(minutes=5)
_MICROSECOND: Final = timedelta(microseconds=1)

#: A tick that a claimant may execute: one of a poll that its code has, due, in a queue of its own that is not paused. As long as
#: a worker of the code that has published the poll last serves that queue, it is for such a worker alone.
CLAIMABLE: Final = """
    ticks.status = 'queued' and ticks.project_id = :project_id and ticks.queue {in:queues} and ticks.due_at <= {now}
    and not exists (
        select 1 from queues where queues.project_id = ticks.project_id and queues.name = ticks.queue
        and queues.paused_at is not null)
    and exists (
        select 1 from sources where sources.id = ticks.source_id and sources.slug {in:polls} and sources.kind = 'poll'
        and sources.retired_at is null
        and (sources.deployment_id = :deployment_id or not exists (
            select 1 from workers where workers.deployment_id = sources.deployment_id and workers.state = 'alive'
            and workers.queues like '%"' || ticks.queue || '"%')))
"""
_LEASED: Final = """
    id, attempt, project_id, worker_id, source_id, queue, scheduled_at, previous_at, missed, origin, dry_run, timeout_us,
    active_us, failures, trace_id, cancel_requested_at, (select slug from sources where sources.id = ticks.source_id) as source
"""
_TAKE: Final = Sql(f"""
update ticks set status = 'running', attempt = attempt + 1, worker_id = :worker_id, deployment_id = :deployment_id,
    started_at = coalesce(started_at, {{now}}), due_at = null, trace_id = coalesce(trace_id, :trace_id)
where status = 'queued' and id = (
    select ticks.id from ticks where {CLAIMABLE} order by ticks.due_at limit 1 {{for_update}} {{skip_locked}})
returning {_LEASED}
""")
_WAITS: Final = Sql(f"select 1 from ticks where {CLAIMABLE} limit 1")
_HOLD: Final = Sql("""
select source_id, project_id, queue, origin, dry_run, cancel_requested_at from ticks
where id = :tick_id and attempt = :attempt and status = 'running' {for_update}
""")
_FIND: Final = Sql(f"""
select {_LEASED}, recoveries from ticks where id = :tick_id and attempt = :attempt and status = 'running'
""")
_REQUEUE: Final = Sql("""
update ticks set status = 'queued', worker_id = null, due_at = {now}, active_us = active_us + :active_us,
    recoveries = recoveries + :recoveries
where id = :tick_id and attempt = :attempt and status = 'running' and cancel_requested_at is null
""")
_END: Final = Sql("""
update ticks set status = 'ended', outcome = :outcome, error = :error, run_ids = :run_ids, found = :found, due_at = null,
    finished_at = {now}, active_us = active_us + :active_us, failures = failures + :failures
where id = :tick_id and attempt = :attempt and status = 'running'
""")
_ENDED: Final = Sql("""
select outcome from ticks where id = :tick_id and attempt = :attempt and status = 'ended'
""")
_END_QUEUED: Final = Sql("""
update ticks set status = 'ended', outcome = 'error', error = :error, due_at = null, finished_at = {now}
where id = :tick_id and status = 'queued' returning project_id, attempt
""")
_REQUEST_CANCEL: Final = Sql("""
update ticks set cancel_requested_at = coalesce(cancel_requested_at, {now})
where id = :tick_id and status = 'running' returning project_id, worker_id, attempt
""")
_GONE: Final = Sql("""
select ticks.id, sources.slug from ticks join sources on sources.id = ticks.source_id
where ticks.status = 'queued' and (sources.retired_at is not null or sources.kind <> 'poll') limit 1000
""")


@dataclass(frozen=True, slots=True)
class HeldTick:
    """A tick that an attempt executes, its row locked: what decides how it goes on."""

    source_id: str
    project_id: str
    queue: str
    origin: str
    dry_run: bool
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class LeasedTick:
    """A tick as its attempt has it, and how often an attempt of it was lost with its process."""

    lease: TickLease
    recoveries: int


@dataclass(frozen=True, slots=True)
class TickEnd:
    """How a tick ends. `error` is a failure, `found` what it came to, both as JSON; `run_ids` are the runs that it started."""

    outcome: Outcome
    error: str | None = None
    run_ids: Sequence[str] = ()
    found: str | None = None


@dataclass(frozen=True, slots=True)
class AskedTick:
    """Whom a cancel has to reach: `worker_id` None where the tick waited, and has ended by it."""

    project_id: str
    worker_id: str | None
    attempt: int


def take(tx: Tx, claimant: Claimant) -> TickLease | None:
    """Claim the tick that is due for longest of those that the claimant may execute; None: none is, or others look at it.

    Never waits for a lock. `more` of the lease is False: the caller looks for what else waits.
    """
    if not claimant.polls:
        return None
    named = {"worker_id": claimant.worker_id, "trace_id": secrets.token_hex(16)}
    row = tx.row(_TAKE, {**parameters(claimant), **named})
    return None if row is None else _lease(row)


def waits(tx: Tx, claimant: Claimant) -> bool:
    """Whether a tick waits that the claimant may execute."""
    return bool(claimant.polls) and tx.row(_WAITS, parameters(claimant)) is not None


def parameters(claimant: Claimant) -> dict[str, Any]:
    """What CLAIMABLE names."""
    return {
        "project_id": claimant.project_id,
        "deployment_id": claimant.deployment_id,
        "queues": list(claimant.queues),
        "polls": list(claimant.polls),
    }


def hold(tx: Tx, tick_id: str, attempt: int) -> HeldTick | None:
    """Lock the tick's row until the transaction ends; None when the attempt has lost it."""
    row = tx.row(_HOLD, {"tick_id": tick_id, "attempt": attempt})
    if row is None:
        return None
    return HeldTick(
        row.source_id, row.project_id, row.queue, row.origin, bool(row.dry_run), row.cancel_requested_at is not None
    )  # fmt: skip


def find(tx: Tx, tick_id: str, attempt: int) -> LeasedTick | None:
    """The tick as the attempt has it, its row not locked; None when the attempt has lost it."""
    row = tx.row(_FIND, {"tick_id": tick_id, "attempt": attempt})
    return None if row is None else LeasedTick(_lease(row), row.recoveries)


def requeue(
    tx: Tx, tick_id: str, attempt: int, *, active: timedelta = timedelta(), lost: bool = False
) -> bool:
    """Give the tick back to the queue; False when the attempt has lost it, or somebody asked to cancel it.

    A worker that drains gives it back as it is; an attempt that was `lost` with its process counts against the tick's
    recoveries. `active` is how long the attempt worked.
    """
    changes = {"active_us": active // _MICROSECOND, "recoveries": int(lost)}
    return tx.run(_REQUEUE, {"tick_id": tick_id, "attempt": attempt, **changes}) == 1


def end(tx: Tx, tick_id: str, attempt: int, ending: TickEnd, *, active: timedelta = timedelta()) -> bool:
    """End the tick; False when the attempt has lost it."""
    changes = {
        "outcome": ending.outcome, "error": ending.error, "run_ids": json.dumps(list(ending.run_ids)),
        "found": ending.found, "active_us": active // _MICROSECOND, "failures": int(ending.outcome == "error"),
    }  # fmt: skip
    return tx.run(_END, {"tick_id": tick_id, "attempt": attempt, **changes}) == 1


def outcome_after(tx: Tx, tick_id: str, attempt: int) -> Outcome | None:
    """What the tick came to by this attempt, perhaps while the answer to its end was lost; None: it has not ended by it."""
    outcome: Outcome | None = tx.value(_ENDED, {"tick_id": tick_id, "attempt": attempt})
    return outcome


def end_queued(tx: Tx, tick_id: str, error: str) -> AskedTick | None:
    """End a tick that waits, with an error, a failure as JSON; None when it does not wait."""
    row = tx.row(_END_QUEUED, {"tick_id": tick_id, "error": error})
    return None if row is None else AskedTick(row.project_id, None, row.attempt)


def request_cancel(tx: Tx, tick_id: str) -> AskedTick | None:
    """Ask a running tick to end; None when it is not running. The request stands in its row."""
    row = tx.row(_REQUEST_CANCEL, {"tick_id": tick_id})
    return None if row is None else AskedTick(row.project_id, row.worker_id, row.attempt)


def gone(tx: Tx) -> list[tuple[str, str]]:
    """(tick id, slug of its poll) of queued ticks whose poll the code has no longer: no worker would claim them."""
    return [(row.id, row.slug) for row in tx.rows(_GONE)]


def _timeout(row: Row[Any]) -> timedelta:
    return DEFAULT_TIMEOUT if row.timeout_us is None else timedelta(microseconds=row.timeout_us)


def _lease(row: Row[Any]) -> TickLease:
    scheduled_at = from_micros(row.scheduled_at)
    return TickLease(
        tick_id=row.id, attempt=row.attempt, project_id=row.project_id, worker_id=row.worker_id, source_id=row.source_id,
        source=row.source, queue=row.queue, scheduled_at=scheduled_at, previous=from_micros(row.previous_at),
        origin=row.origin, dry_run=bool(row.dry_run), timeout=_timeout(row), active=timedelta(microseconds=row.active_us),
        failures=row.failures, trace_id=row.trace_id, cancel_requested=row.cancel_requested_at is not None, more=False,
        missed=row.missed,
    )  # fmt: skip
