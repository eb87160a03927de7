"""The claim: which run a worker executes next, and what an attempt reads and writes under its lease."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.actor import SYSTEM, Actor, Trigger
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.payload import decode_payload
from keystroke.domain.states import CLAIM
from keystroke.domain.usage import from_nano
from keystroke.store.database import Tx
from keystroke.store.runs import TRANSITION_OF_MOVED, entry_columns
from keystroke.store.sql import Guarded, Sql

# A run that has started belongs to the code it started with: workers of its deployment while one is alive and serves its queue,
# else workers of the current deployment. One that has not started may have any code that has its workflow; where even the
# current code has not, a worker of that takes it, to say so.
_CLAIMABLE: Final = """
    status = 'queued' and parked_on is null and project_id = :project_id and queue {in:queues} and due_at <= {now}
    and not exists (
        select 1 from queues where queues.project_id = runs.project_id and queues.name = runs.queue
        and queues.paused_at is not null)
    and (deployment_id = :deployment_id
        or deployment_id is null and (cast(:has_all as integer) = 1 or workflow {in:workflows})
        or exists (select 1 from projects where projects.id = :project_id and current_deployment_id = :deployment_id)
        and (deployment_id is null or not exists (select 1 from workers where workers.deployment_id = runs.deployment_id
                        and workers.state = 'alive' and workers.queues like '%"' || runs.queue || '"%')))
"""
_CLAIM: Final = Guarded(f"""
update runs set status = '{CLAIM.target}', status_reason = null, attempt = attempt + 1, worker_id = :worker_id,
    deployment_id = :deployment_id,
    started_at = coalesce(started_at, {{now}}), updated_at = {{now}}, due_at = null,
    events = events + 1
where id = (select id from runs where {_CLAIMABLE} order by priority desc, queued_at limit 1 {{for_update}} {{skip_locked}})
returning id, attempt, events, project_id, worker_id, workflow, queue, admitted_at, seed, trace_id, parent_span_id, trigger_type,
    trigger_label, trigger_value, trigger_id, fired_at, actor_type, actor_id, actor_name, tags, failures, max_attempts,
    retry, parent_run_id, root_run_id, started_at, active_us, cancel_requested_at, timeout_us, budget_nano,
    (select body from run_payloads where run_id = runs.id and name = 'input') as input,
    (select body from run_payloads where run_id = runs.id and name = 'trigger') as trigger_payload
""", (TRANSITION_OF_MOVED,))  # fmt: skip
_MORE: Final = Sql(f"select 1 from runs where {_CLAIMABLE} limit 1")
_ADMIT: Final = Sql("""
update runs set admitted_at = {now}, updated_at = {now}
where id = :run_id and attempt = :attempt and status = 'running'
""")
_PUT_INPUT: Final = Sql("""
insert into run_payloads (run_id, name, body) values (:run_id, 'input', :body)
on conflict (run_id, name) do update set body = excluded.body
""")
_PROGRESS: Final = Sql("""
update runs set progress_fraction = :fraction, progress_message = :message, progress_at = {now}, updated_at = {now},
    progress_event = events + 1, events = events + 1
where id = :run_id and attempt = :attempt and status = 'running'
""")
_TAGS: Final = Sql("""
update runs set tags = :tags, updated_at = {now} where id = :run_id and attempt = :attempt and status = 'running'
returning project_id
""")
_PUT_TAG: Final = Sql("""
insert into run_tags (run_id, project_id, key, value) values (:run_id, :project_id, :key, :value)
on conflict (run_id, key) do update set value = excluded.value
""")
_DROP_TAGS: Final = Sql("delete from run_tags where run_id = :run_id and key {not_in:keys}")


def claim(tx: Tx, claimant: Claimant) -> Lease | None:
    """Claim the best run that the claimant may run; None where nothing waits.

    Never waits for a lock: a candidate that somebody else looks at is passed over.
    """
    entry = {"reason": None, **entry_columns(CLAIM, claimant.worker_id, SYSTEM)}
    row = tx.guarded(_CLAIM, {**_parameters(claimant), **entry})
    if row is None:
        return None
    return _lease(row, more=tx.row(_MORE, _parameters(claimant)) is not None)


def admit(tx: Tx, run_id: str, attempt: int, input_text: str) -> bool:
    """Record the validated input; False when the attempt has lost the run."""
    if not tx.run(_ADMIT, {"run_id": run_id, "attempt": attempt}):
        return False
    tx.run(_PUT_INPUT, {"run_id": run_id, "body": input_text})
    return True


def put_progress(tx: Tx, run_id: str, attempt: int, fraction: float | None, message: str | None) -> bool:
    """Record how far the run says it is; False when the attempt has lost it."""
    parameters = {"run_id": run_id, "attempt": attempt, "fraction": fraction, "message": message}
    return tx.run(_PROGRESS, parameters) == 1


def put_tags(tx: Tx, run_id: str, attempt: int, tags: dict[str, str], text: str) -> bool:
    """Replace the run's tags; False when the attempt has lost it."""
    project_id = tx.value(_TAGS, {"run_id": run_id, "attempt": attempt, "tags": text})
    if project_id is None:
        return False
    tx.run(_DROP_TAGS, {"run_id": run_id, "keys": list(tags)})
    rows = [{"run_id": run_id, "project_id": project_id, "key": key, "value": tags[key]} for key in tags]
    tx.run_many(_PUT_TAG, rows)
    return True


def _parameters(claimant: Claimant) -> dict[str, Any]:
    return {
        "project_id": claimant.project_id,
        "queues": list(claimant.queues),
        "deployment_id": claimant.deployment_id,
        "has_all": int(claimant.workflows is None),
        "workflows": list(claimant.workflows or ()),
    }


def _lease(row: Row[Any], *, more: bool) -> Lease:
    return Lease(
        run_id=row.id, attempt=row.attempt, project_id=row.project_id, worker_id=row.worker_id, workflow=row.workflow,
        queue=row.queue, input=decode_payload(row.input), admitted=row.admitted_at is not None, seed=row.seed,
        trace_id=row.trace_id, parent_span_id=row.parent_span_id,
        trigger=Trigger(
            row.trigger_type, row.trigger_label, row.trigger_value, row.trigger_id, decode_payload(row.trigger_payload),
            from_micros(row.fired_at),
        ),
        actor=Actor(row.actor_type, row.actor_id, row.actor_name), tags=json.loads(row.tags or "{}"),
        failures=row.failures, max_attempts=row.max_attempts, retry=json.loads(row.retry) if row.retry else None,
        parent_run_id=row.parent_run_id, root_run_id=row.root_run_id, started_at=from_micros(row.started_at),
        active=timedelta(microseconds=row.active_us), cancel_requested=row.cancel_requested_at is not None, more=more,
        timeout=None if row.timeout_us is None else timedelta(microseconds=row.timeout_us),
        budget=None if row.budget_nano is None else from_nano(row.budget_nano),
    )  # fmt: skip
