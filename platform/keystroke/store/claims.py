"""The claim: which run a worker executes next, and what an attempt reads and writes under its lease."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.actor import SYSTEM, Actor, Trigger
from keystroke.domain.keys import RunLimits
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.payload import decode_payload
from keystroke.domain.states import CLAIM
from keystroke.domain.usage import from_nano
from keystroke.store.database import Tx
from keystroke.store.limits import RUNNING
from keystroke.store.rates import Pace
from keystroke.store.runs import TRANSITION_OF_MOVED, entry_columns, limit_columns
from keystroke.store.sql import Guarded, Sql

# A run that has started belongs to the code it started with: workers of its deployment while one is alive and serves its queue,
# else workers of the current deployment. One that has not started may have any code that has its workflow; where even the
# current code has not, a worker of that takes it, to say so.
_CLAIMABLE: Final = """
    status = 'queued' and parked_on is null and project_id = :project_id and queue {in:queues} and due_at <= {now}
    and (concurrency_key is null or concurrency_key {not_in:keys})
    and (rate_key is null or attempt > admitted_after or rate_key {not_in:rates})
    and not exists (
        select 1 from queues where queues.project_id = runs.project_id and queues.name = runs.queue
        and queues.paused_at is not null)
    and (deployment_id = :deployment_id
        or deployment_id is null and (cast(:has_all as integer) = 1 or workflow {in:workflows})
        or exists (select 1 from projects where projects.id = :project_id and current_deployment_id = :deployment_id)
        and (deployment_id is null or not exists (select 1 from workers where workers.deployment_id = runs.deployment_id
                        and workers.state = 'alive' and workers.queues like '%"' || runs.queue || '"%')))
"""
# Its limits beside it: a run that has begun before does not count again in its rate.
_CANDIDATE: Final = f"""
select id as candidate_id, concurrency_key as candidate_key,
    case when attempt = admitted_after then rate_key end as candidate_rate,
    rate_limit as candidate_rate_limit, rate_per_us as candidate_rate_per_us
from runs where {_CLAIMABLE} order by priority desc, queued_at limit 1 {{for_update}} {{skip_locked}}
"""
_TAKEN: Final = """
    status_reason = null, attempt = attempt + 1, worker_id = :worker_id,
    deployment_id = :deployment_id, started_at = coalesce(started_at, {now}), updated_at = {now}, due_at = null,
    events = events + 1
"""
_LEASED: Final = """
    id, attempt, events, project_id, worker_id, workflow, queue, admitted_at, seed, trace_id, parent_span_id, trigger_type,
    trigger_label, trigger_value, trigger_id, fired_at, scheduled_at, previous_fire_at, missed, behind_transform,
    concurrency_key, concurrency_limit, rate_key, rate_limit,
    actor_type, actor_id, actor_name, tags, failures, max_attempts, retry, parent_run_id, root_run_id, started_at,
    active_us, cancel_requested_at, timeout_us, budget_nano,
    (select body from run_payloads where run_id = runs.id and name = 'input') as input,
    (select body from run_payloads where run_id = runs.id and name = 'trigger') as trigger_payload
"""
# In the order of the claim, though any would do: so it reads along the index of claims, in which those that are parked are not.
_ANOTHER: Final = f"""
(select 1 from runs where {_CLAIMABLE} and id <> candidate_id order by priority desc, queued_at limit 1) is not null
"""
# The hot path, in one round trip: a run without limits is claimed at once; one that has some is locked, to be decided on.
_LOOK: Final = Sql(f"""
with candidate as ({_CANDIDATE}),
moved as (
    update runs set status = '{CLAIM.target}', {_TAKEN} from candidate
    where id = candidate_id and candidate_key is null and candidate_rate is null
    returning {_LEASED}
),
inserted as ({TRANSITION_OF_MOVED.replace("{moved}", "moved")})
select candidate.*, moved.*, {_ANOTHER} as more from candidate left join moved on moved.id = candidate_id
""")
_LOOK_ALONE: Final = Sql(_CANDIDATE)
# Read in a statement of its own, after the one that took the key's lock: it sees what earlier holders have committed.
_TAKE: Final = Guarded(f"""
update runs set status = '{CLAIM.target}', {_TAKEN} where id = :run_id and status = 'queued' and parked_on is null
and (concurrency_key is null or concurrency_limit > {RUNNING.format(project="runs.project_id", key="runs.concurrency_key")})
returning {_LEASED}
""", (TRANSITION_OF_MOVED,))  # fmt: skip
# Runs of the key that this claim may just have filled count only while it has room.
_MORE: Final = Sql(f"""
select 1 from runs where {_CLAIMABLE}
and (concurrency_key is null or cast(:own_key as text) is null or concurrency_key <> :own_key
    or concurrency_limit > {RUNNING.format(project=":project_id", key=":own_key")})
order by priority desc, queued_at limit 1
""")
_ADMIT: Final = Sql("""
update runs set admitted_at = {now}, updated_at = {now}
where id = :run_id and attempt = :attempt and status = 'running'
""")
# The move to the queue has locked the row. The limits are those of the code that has admitted it.
_ADMIT_LIMITED: Final = Sql("""
update runs set admitted_at = {now}, admitted_after = attempt, concurrency_key = :concurrency_key,
    concurrency_limit = :concurrency_limit, concurrency_policy = :concurrency_policy, rate_key = :rate_key,
    rate_limit = :rate_limit, rate_per_us = :rate_per_us
where id = :run_id and status = 'queued'
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queued run, locked, that has limits: its concurrency key, and the rate at which such runs begin."""

    run_id: str
    concurrency_key: str | None
    pace: Pace | None

    @property
    def limited(self) -> bool:
        """Whether anything has to be decided."""
        return self.concurrency_key is not None or self.pace is not None


@dataclass(frozen=True, slots=True)
class Passed:
    """The keys that this claim has looked at and leaves alone: full, or locked by somebody else."""

    keys: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()

    def beside(self, *, key: str | None = None, rate: str | None = None) -> Passed:
        """These, and one more."""
        keys = self.keys if key is None else (*self.keys, key)
        return Passed(keys, self.rates if rate is None else (*self.rates, rate))


def look(tx: Tx, claimant: Claimant, passed: Passed) -> Lease | Candidate | None:
    """The best run that the claimant may run: claimed, or where it has limits locked, to be decided on; None: none waits.

    Never waits for a lock: a candidate that somebody else looks at is passed over.
    """
    if tx.backend == "sqlite":
        row = tx.row(_LOOK_ALONE, _parameters(claimant, passed))
        candidate = None if row is None else _candidate(row, claimant)
        if candidate is None or candidate.limited:
            return candidate
        return take(tx, claimant, candidate, passed)
    row = tx.row(_LOOK, {**_parameters(claimant, passed), **_entry(claimant)})
    if row is None:
        return None
    return _candidate(row, claimant) if row.id is None else _lease(row, more=row.more)


def take(tx: Tx, claimant: Claimant, candidate: Candidate, passed: Passed) -> Lease | None:
    """Claim a candidate, under the locks of its limits; None when its concurrency key is full."""
    names = {
        "run_id": candidate.run_id,
        "worker_id": claimant.worker_id,
        "deployment_id": claimant.deployment_id,
    }
    row = tx.guarded(_TAKE, {**names, **_entry(claimant)})
    if row is None:
        return None
    more = tx.row(_MORE, {**_parameters(claimant, passed), "own_key": candidate.concurrency_key})
    return _lease(row, more=more is not None)


def admit(tx: Tx, run_id: str, attempt: int, input_text: str) -> bool:
    """Record the validated input; False when the attempt has lost the run."""
    if not tx.run(_ADMIT, {"run_id": run_id, "attempt": attempt}):
        return False
    tx.run(_PUT_INPUT, {"run_id": run_id, "body": input_text})
    return True


def admit_limited(tx: Tx, run_id: str, input_text: str, limits: RunLimits) -> None:
    """Record the input and the limits of a run that this transaction has put back to the queue."""
    tx.run(_ADMIT_LIMITED, {"run_id": run_id, **limit_columns(limits)})
    tx.run(_PUT_INPUT, {"run_id": run_id, "body": input_text})


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


def _entry(claimant: Claimant) -> dict[str, Any]:
    return {"reason": None, **entry_columns(CLAIM, claimant.worker_id, SYSTEM)}


def _candidate(row: Row[Any], claimant: Claimant) -> Candidate:
    pace = None
    if row.candidate_rate is not None:
        pace = Pace.of(
            claimant.project_id, row.candidate_rate, row.candidate_rate_limit, row.candidate_rate_per_us
        )
    return Candidate(row.candidate_id, row.candidate_key, pace)


def _parameters(claimant: Claimant, passed: Passed) -> dict[str, Any]:
    return {
        "keys": list(passed.keys),
        "rates": list(passed.rates),
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
            from_micros(row.fired_at), from_micros(row.scheduled_at), from_micros(row.previous_fire_at), row.missed,
        ),
        actor=Actor(row.actor_type, row.actor_id, row.actor_name), tags=json.loads(row.tags or "{}"),
        failures=row.failures, max_attempts=row.max_attempts, retry=json.loads(row.retry) if row.retry else None,
        parent_run_id=row.parent_run_id, root_run_id=row.root_run_id, started_at=from_micros(row.started_at),
        active=timedelta(microseconds=row.active_us), cancel_requested=row.cancel_requested_at is not None, more=more,
        timeout=None if row.timeout_us is None else timedelta(microseconds=row.timeout_us),
        budget=None if row.budget_nano is None else from_nano(row.budget_nano),
        behind_transform=row.behind_transform, unkeyed=_is_unkeyed(row),
    )  # fmt: skip


def _is_unkeyed(row: Row[Any]) -> bool:
    """Whether its keys are yet to be made: behind a transform, and where what came with a trigger did not fit its workflow."""
    return row.admitted_at is None and (
        row.behind_transform is not None
        or (row.concurrency_limit is not None and row.concurrency_key is None)
        or (row.rate_limit is not None and row.rate_key is None)
    )
