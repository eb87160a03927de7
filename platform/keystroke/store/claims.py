"""The claim: which run a worker executes next, and what an attempt reads and writes under its lease."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.actor import SYSTEM, Actor, Trigger
from keystroke.domain.keys import RunLimits
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.payload import decode_payload
from keystroke.domain.states import CLAIM
from keystroke.domain.usage import from_nano
from keystroke.store import tick_claims
from keystroke.store.claim_statements import PEEKED, TAKE, claim_statements
from keystroke.store.database import Tx
from keystroke.store.rates import Pace
from keystroke.store.runs import entry_columns, limit_columns
from keystroke.store.sql import Sql

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


class Found(Enum):
    """What a look found in place of a run."""

    TICK = "a tick that is due"
    CROWD = "runs, all of which somebody else is about to take"


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


def look(tx: Tx, claimant: Claimant, passed: Passed) -> Lease | Candidate | Found | None:
    """The best run that the claimant may run: claimed, or where it has limits locked, to be decided on; None: none waits.

    Never waits for a lock: a candidate that somebody else looks at is passed over. Where a tick waits that the claimant may
    execute, no run is looked for.
    """
    if not claimant.queues:
        return None
    statements = claim_statements(len(claimant.queues), ticks=bool(claimant.polls))
    if tx.backend == "sqlite":
        if tick_claims.waits(tx, claimant):
            return Found.TICK
        row = tx.row(statements.look_alone, _parameters(claimant, passed))
        candidate = None if row is None else _candidate(row, claimant)
        if candidate is None or candidate.limited:
            return candidate
        return take(tx, claimant, candidate, passed)
    row = tx.row(statements.look, {**_parameters(claimant, passed), **_entry(claimant)})
    assert row is not None, "it says at least whether a tick is due"
    if row.tick_due:
        return Found.TICK
    if row.candidate_id is None:
        return Found.CROWD if row.seen >= PEEKED else None
    return _candidate(row, claimant) if row.id is None else _lease(row, more=row.more)


def take(tx: Tx, claimant: Claimant, candidate: Candidate, passed: Passed) -> Lease | None:
    """Claim a candidate, under the locks of its limits; None when its concurrency key is full."""
    names = {
        "run_id": candidate.run_id,
        "worker_id": claimant.worker_id,
        "deployment_id": claimant.deployment_id,
    }
    row = tx.guarded(TAKE, {**names, **_entry(claimant)})
    if row is None:
        return None
    return _lease(row, more=waits(tx, claimant, passed, candidate.concurrency_key))


def waits(tx: Tx, claimant: Claimant, passed: Passed, own_key: str | None = None) -> bool:
    """Whether a run waits that the claimant may run; of one key only where it has room."""
    more = claim_statements(len(claimant.queues), ticks=False).more
    return tx.row(more, {**_parameters(claimant, passed), "own_key": own_key}) is not None


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
        **{f"queue_{number}": name for number, name in enumerate(claimant.queues)},
        "deployment_id": claimant.deployment_id,
        "has_all": int(claimant.workflows is None),
        "workflows": list(claimant.workflows or ()),
        **tick_claims.parameters(claimant),
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
