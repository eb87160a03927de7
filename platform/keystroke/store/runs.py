"""Writes to a run's row: its insert, and the one guarded update by which its status moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from keystroke.clock import to_micros
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.keys import NO_LIMITS, RunLimits
from keystroke.domain.lineage import NO_LINEAGE, Lineage
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.states import Reason, Status, Transition
from keystroke.domain.usage import to_nano
from keystroke.store.database import Tx
from keystroke.store.sql import Guarded, Sql

_INSERT: Final = """
insert into runs (
    id, events, organization_id, project_id, kind, workflow, workflow_name, queue, priority, status, max_attempts, retry,
    retention_us, due_at, admitted_at, created_at, queued_at, updated_at, trigger_type, trigger_label, trigger_value,
    trigger_id, fired_at, actor_type, actor_id, actor_name, parent_run_id, parent_step, root_run_id, replay_of,
    idempotency_key, seed, trace_id, parent_span_id, tags, detached, timeout_us, budget_nano, on_failure, concurrency_key,
    concurrency_limit, concurrency_policy, rate_key, rate_limit, rate_per_us, behind_transform, scheduled_at,
    previous_fire_at, missed)
select :id, 1, :organization_id, :project_id, 'workflow', :workflow, :workflow_name, :queue, :priority, 'queued',
    :max_attempts, :retry, :retention_us, coalesce(:run_at, clock.now), null, clock.now, coalesce(:run_at, clock.now),
    clock.now, :trigger_type, :trigger_label, :trigger_value, :trigger_id, coalesce(:fired_at, clock.now), :actor_type,
    :actor_id, :actor_name, :parent_run_id, :parent_step, :root_run_id, :replay_of, :idempotency_key, :seed, :trace_id,
    :parent_span_id, :tags, :detached, :timeout_us, :budget_nano, :on_failure, :concurrency_key, :concurrency_limit,
    :concurrency_policy, :rate_key, :rate_limit, :rate_per_us, :behind_transform, :scheduled_at, :previous_fire_at,
    :missed
from (select {now} as now) clock
returning id, due_at > created_at as scheduled
"""
_PAYLOADS_OF_NEW: Final = """
insert into run_payloads (run_id, name, body)
select moved.id, given.name, given.body from {moved}, (
    select 'input' as name, cast(:input as text) as body
    union all select 'trigger', cast(:trigger_payload as text)) given
where given.body is not null
"""
_CREATION_OF_NEW: Final = """
insert into transitions (run_id, event, at, transition, status, attempt, actor_type, actor_id, actor_name)
select moved.id, 1, {now}, 'create', 'queued', 0, :actor_type, :actor_id, :actor_name from {moved}
"""
#: A run with its payloads and the first entry of its timeline: each start and each delivery waits for this.
_INSERT_WHOLE: Final = Guarded(_INSERT, (_PAYLOADS_OF_NEW, _CREATION_OF_NEW))
_INSERT_TAG: Final = Sql(
    "insert into run_tags (run_id, project_id, key, value) values (:run_id, :project_id, :key, :value)"
)
# Once it is canceled it has to be looked for children. Told by a look at them a cancel would not see the youngest.
_MARK_PARENT: Final = Sql("update runs set cascading = 1 where id = :run_id and cascading = 0")
# The timeline's entry, made by a guarded update from the row that it has moved.
TRANSITION_OF_MOVED: Final = """
insert into transitions (run_id, event, at, transition, status, reason, attempt, worker_id, actor_type, actor_id,
    actor_name)
select id, events, {now}, :transition, :status, :reason, attempt, :worker_id, :actor_type, :actor_id, :actor_name from {moved}
"""
_PAYLOAD_OF_MOVED: Final = """
insert into run_payloads (run_id, name, body)
select id, :payload_name, :payload from {moved} where cast(:payload as text) is not null
"""
_LOCK: Final = Sql("""
select recoveries, cancel_requested_at, active_us, timeout_us from runs
where id = :run_id and attempt = :attempt and status = 'running' {for_update}
""")
_HAS_MOVED: Final = Sql("""
select status from transitions where run_id = :run_id and attempt = :attempt and transition {in:names}
""")

# What a move writes besides the status. `worker_id` is the lease: only a running run has one.
_TO_TERMINAL: Final = """finished_at = {now}, expires_at = {now} + coalesce(retention_us, :retention_us),
    worker_id = null, due_at = null, parked_on = null, status_reason = :reason, active_us = active_us + :active_us,
    failures = failures + :failures, recoveries = recoveries + :recoveries,
    error_type = :error_type, error_message = :error_message, fingerprint = :fingerprint,
    step_count = (select count(*) from steps where run_id = runs.id),
    cost_nano = coalesce((select sum(cost_nano) from usage_items where run_id = runs.id), 0),
    currency = (select max(currency) from usage_items where run_id = runs.id)"""
_TO_REST: Final = """due_at = {now} + :delay_us, worker_id = null, status_reason = :reason,
    active_us = active_us + :active_us, failures = failures + :failures, recoveries = recoveries + :recoveries,
    step_count = (select count(*) from steps where run_id = runs.id),
    cost_nano = coalesce((select sum(cost_nano) from usage_items where run_id = runs.id), 0),
    currency = (select max(currency) from usage_items where run_id = runs.id)"""


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a start inserts. `input` and `trigger_payload` are canonical texts."""

    id: str
    organization_id: str
    project_id: str
    workflow: WorkflowManifest
    trigger: Trigger
    trigger_payload: str | None
    actor: Actor
    input: str | None
    tags: dict[str, str]
    priority: int
    run_at: datetime | None
    idempotency_key: str | None
    trace_id: str
    parent_span_id: str | None
    seed: str
    lineage: Lineage = NO_LINEAGE
    limits: RunLimits = NO_LIMITS
    behind_transform: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a move adds to the row: counters, the time worked, the time to rest, the error. Times are microseconds."""

    active_us: int = 0
    delay_us: int | None = 0
    failures: int = 0
    recoveries: int = 0
    error: dict[str, Any] | None = None
    output: str | None = None
    error_text: str | None = None
    retention_us: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A running run that the transaction has locked. `active` is what its earlier attempts worked, `timeout` what it may."""

    recoveries: int
    cancel_requested: bool
    active: timedelta
    timeout: timedelta | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that won: the run's row after it.

    `woken` names the queues, as (project id, queue), in which other runs may go on because of it; `keyed` says that it has
    an idempotency key, `begun` that an attempt has begun under its limits, `unparked` is the run that may take the place in a
    limit which this one has freed.
    """

    run_id: str
    project_id: str
    queue: str
    status: Status
    attempt: int
    parent_run_id: str | None = None
    concurrency_key: str | None = None
    on_failure: str | None = None
    keyed: bool = False
    rate_key: str | None = None
    begun: bool = False
    unparked: str | None = None
    woken: tuple[tuple[str, str], ...] = ()


def insert_run(tx: Tx, run: NewRun) -> bool:
    """Insert the run as `queued` with payloads, tags and its first timeline entry; True when it is due already."""
    inserted = tx.guarded(
        _INSERT_WHOLE, {**_row(run), "input": run.input, "trigger_payload": run.trigger_payload}
    )
    assert inserted is not None, "an insert without a condition"
    if run.lineage.parent_run_id is not None and not run.lineage.detached:
        tx.run(_MARK_PARENT, {"run_id": run.lineage.parent_run_id})
    tx.run_many(
        _INSERT_TAG,
        [
            {"run_id": run.id, "project_id": run.project_id, "key": key, "value": value}
            for key, value in run.tags.items()
        ],
    )
    return not inserted.scheduled


def move(
    tx: Tx,
    transition: Transition,
    run_id: str,
    *,
    actor: Actor,
    attempt: int | None = None,
    reason: Reason | None = None,
    changes: Changes | None = None,
    unless_cancel_requested: bool = False,
) -> Moved | None:
    """Move a run along one row of the transition table; None when it was not where the transition starts.

    A fenced transition names the `attempt` it expects. With `unless_cancel_requested` a run that somebody asked to cancel
    stays where it is.
    """
    if transition.fenced and attempt is None:
        raise ValueError(f"{transition.name} is made by an attempt, which has to be named")
    row = tx.guarded(
        _move_sql("id = :run_id", transition, attempt is not None, unless_cancel_requested),
        {"run_id": run_id, "expected_attempt": attempt, **_effects(transition, actor, reason, changes)},
    )
    return None if row is None else _moved(transition, row)


def move_all(tx: Tx, transition: Transition, run_ids: Sequence[str], *, actor: Actor) -> list[Moved]:
    """Move many runs along one row of the transition table, in one statement; those that were where it starts."""
    if not run_ids:
        return []
    statement = _move_sql("id {in:run_ids}", transition, False, False)
    rows = tx.guarded_all(statement, {"run_ids": list(run_ids), **_effects(transition, actor)})
    return [_moved(transition, row) for row in rows]


def entry_columns(transition: Transition, worker_id: str | None, actor: Actor) -> dict[str, Any]:
    """What the timeline's entry of a transition holds besides run, attempt and reason."""
    return {
        "transition": transition.name, "status": transition.target, "worker_id": worker_id, **_actor_columns(actor),
    }  # fmt: skip


def _actor_columns(actor: Actor) -> dict[str, str]:
    return {"actor_type": actor.type, "actor_id": actor.id, "actor_name": actor.name}


def lock(tx: Tx, run_id: str, attempt: int) -> Held | None:
    """Lock the row of a running run; None when the attempt no longer has it."""
    row = tx.row(_LOCK, {"run_id": run_id, "attempt": attempt})
    if row is None:
        return None
    timeout = None if row.timeout_us is None else timedelta(microseconds=row.timeout_us)
    return Held(
        row.recoveries, row.cancel_requested_at is not None, timedelta(microseconds=row.active_us), timeout
    )


def status_after(tx: Tx, run_id: str, attempt: int, transitions: Sequence[Transition]) -> Status | None:
    """Where one of these transitions, which only that attempt makes, has brought the run; None: none was made."""
    names = [transition.name for transition in transitions]
    status = tx.value(_HAS_MOVED, {"run_id": run_id, "attempt": attempt, "names": names})
    return None if status is None else Status(status)


def _effects(
    transition: Transition, actor: Actor, reason: Reason | None = None, changes: Changes | None = None
) -> dict[str, Any]:
    changes = changes or Changes()
    name, payload = (
        ("output", changes.output) if changes.error_text is None else ("error", changes.error_text)
    )
    return {
        "reason": reason, "active_us": changes.active_us, "delay_us": changes.delay_us, "failures": changes.failures,
        "recoveries": changes.recoveries, "retention_us": changes.retention_us, **_error_columns(changes.error),
        "payload_name": name, "payload": payload, **entry_columns(transition, None, actor),
    }  # fmt: skip


def _moved(transition: Transition, row: Any) -> Moved:
    return Moved(
        row.id, row.project_id, row.queue, transition.target, row.attempt, row.parent_run_id, row.concurrency_key,
        row.on_failure, row.idempotency_key is not None, row.rate_key, row.attempt > row.admitted_after,
    )  # fmt: skip


@cache
def _move_sql(which: str, transition: Transition, fenced: bool, unless_cancel_requested: bool) -> Guarded:
    sources = ", ".join(f"'{source}'" for source in sorted(transition.sources))
    effects = _TO_TERMINAL if transition.target.terminal else _TO_REST
    guards = f"{which} and status in ({sources})"
    guards += " and attempt = :expected_attempt" if fenced else ""
    guards += " and cancel_requested_at is null" if unless_cancel_requested else ""
    update = (
        f"update runs set status = '{transition.target}', updated_at = {{now}}, events = events + 1, {effects} where {guards} "
        "returning id, events, project_id, queue, attempt, parent_run_id, concurrency_key, on_failure, idempotency_key, "
        "rate_key, admitted_after"
    )
    payload = (_PAYLOAD_OF_MOVED,) if transition.target.terminal else ()
    return Guarded(update, (TRANSITION_OF_MOVED, *payload))


def _error_columns(error: dict[str, Any] | None) -> dict[str, Any]:
    error = error or {}
    message = error.get("message")
    return {
        "error_type": error.get("type"),
        "error_message": None if message is None else str(message)[:2_000],
        "fingerprint": error.get("fingerprint"),
    }


def _row(run: NewRun) -> dict[str, Any]:
    workflow, trigger, lineage = run.workflow, run.trigger, run.lineage
    return {
        "id": run.id, "organization_id": run.organization_id, "project_id": run.project_id, "workflow": workflow.slug,
        "workflow_name": workflow.name, "queue": workflow.queue, "priority": run.priority,
        "max_attempts": workflow.max_attempts, "retry": json.dumps(workflow.retry) if workflow.retry else None,
        "retention_us": None if workflow.retention is None else round(workflow.retention * 1_000_000),
        "run_at": to_micros(run.run_at), "trigger_type": trigger.type, "trigger_label": trigger.label,
        "trigger_value": trigger.value, "trigger_id": trigger.id, "fired_at": to_micros(trigger.fired_at),
        "actor_type": run.actor.type, "actor_id": run.actor.id, "actor_name": run.actor.name,
        "parent_run_id": lineage.parent_run_id, "parent_step": lineage.parent_step,
        "root_run_id": lineage.root_run_id or run.id, "replay_of": lineage.replay_of, "detached": int(lineage.detached),
        "idempotency_key": run.idempotency_key, "seed": run.seed, "trace_id": run.trace_id,
        "parent_span_id": run.parent_span_id, "tags": json.dumps(run.tags) if run.tags else None,
        "behind_transform": run.behind_transform, "scheduled_at": to_micros(trigger.scheduled_at),
        "previous_fire_at": to_micros(trigger.previous_fire), "missed": trigger.missed,
        **_bounds(run),
    }  # fmt: skip


def _bounds(run: NewRun) -> dict[str, Any]:
    """What the definition bounds, as it was when the run was started."""
    workflow = run.workflow
    return {
        "timeout_us": None if workflow.timeout is None else round(workflow.timeout * 1_000_000),
        "budget_nano": None if workflow.budget is None else to_nano(Decimal(workflow.budget)),
        "on_failure": workflow.on_failure, **limit_columns(run.limits),
    }  # fmt: skip


def limit_columns(limits: RunLimits) -> dict[str, Any]:
    """What a run's row holds of its limits."""
    concurrency, rate = limits.concurrency or {}, limits.rate_limit or {}
    return {
        "concurrency_key": limits.concurrency_key, "concurrency_limit": concurrency.get("limit"),
        "concurrency_policy": concurrency.get("policy"), "rate_key": limits.rate_key, "rate_limit": rate.get("limit"),
        "rate_per_us": None if not rate else round(rate["per"] * 1_000_000),
    }  # fmt: skip
