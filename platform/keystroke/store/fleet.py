"""Workers: who is there, who is alive, whose runs and ticks have to be recovered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.scope import Scope
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_REGISTER: Final = Sql("""
insert into workers (id, project_id, host, pid, version, deployment_id, queues, concurrency, state, started_at, heartbeat_at)
values (:id, :project_id, :host, :pid, :version, :deployment_id, :queues_text, :concurrency, 'alive', {now}, {now})
""")
_BEAT: Final = Sql("""
update workers set heartbeat_at = {now}, memory_mib = :memory_mib where id = :id and state in ('alive', 'draining')
returning state
""")
# What a worker holds are runs and ticks of polls.
_CANCELS: Final = Sql("""
select id, attempt from runs where worker_id = :id and status = 'running' and cancel_requested_at is not null
union all
select id, attempt from ticks where worker_id = :id and status = 'running' and cancel_requested_at is not null
""")
_LEASED: Final = Sql("""
select id, attempt from runs where worker_id = :id and status = 'running'
union all
select id, attempt from ticks where worker_id = :id and status = 'running'
""")
_SET_STATE: Final = Sql("update workers set state = :state where id = :id and state in ('alive', 'draining')")
_DECLARE_DEAD: Final = Sql("""
update workers set state = 'dead'
where state in ('alive', 'draining') and heartbeat_at < {now} - :dead_after_us
returning id
""")
_ORPHANED: Final = Sql("""
select runs.id, runs.attempt from runs join workers on workers.id = runs.worker_id
where runs.status = 'running' and workers.state in ('dead', 'stopped')
union all
select ticks.id, ticks.attempt from ticks join workers on workers.id = ticks.worker_id
where ticks.status = 'running' and workers.state in ('dead', 'stopped')
limit 1000
""")
_WORKERS: Final = Sql("""
select workers.* from workers join projects on projects.id = workers.project_id
where projects.organization_id = :organization_id order by workers.id desc limit 500
""")
_RUNNING: Final = Sql("""
select worker_id, count(*) as leases from (
    select worker_id from runs where worker_id {in:ids} and status = 'running'
    union all
    select worker_id from ticks where worker_id {in:ids} and status = 'running') leased
group by worker_id
""")
_FORGET: Final = Sql("""
delete from workers where state in ('dead', 'stopped') and heartbeat_at < {now} - :age_us
and not exists (select 1 from runs where runs.worker_id = workers.id and runs.status = 'running')
and not exists (select 1 from ticks where ticks.worker_id = workers.id and ticks.status = 'running')
""")


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker: `state` is alive, draining, stopped or dead; `memory_mib` of all its processes together."""

    id: str
    project_id: str
    host: str
    pid: int
    version: str
    deployment_id: str
    queues: tuple[str, ...]
    concurrency: int
    state: str
    memory_mib: int | None
    started_at: datetime
    heartbeat_at: datetime


def register(tx: Tx, worker: dict[str, Any], queues: Sequence[str]) -> None:
    """Add a worker as alive."""
    tx.run(_REGISTER, {**worker, "queues_text": json.dumps(list(queues))})


def beat(tx: Tx, worker_id: str, memory_mib: int) -> str | None:
    """Renew the lease of everything that the worker runs; its state, alive or draining, None: it was declared dead."""
    state: str | None = tx.value(_BEAT, {"id": worker_id, "memory_mib": memory_mib})
    return state


def cancel_requests(tx: Tx, worker_id: str) -> list[tuple[str, int]]:
    """Runs and ticks (with attempt) of the worker that somebody asked to cancel."""
    return [(row.id, row.attempt) for row in tx.rows(_CANCELS, {"id": worker_id})]


def leases(tx: Tx, worker_id: str) -> set[tuple[str, int]]:
    """Every run and tick, with its attempt, that the worker holds by the database's account."""
    return {(row.id, row.attempt) for row in tx.rows(_LEASED, {"id": worker_id})}


def set_state(tx: Tx, worker_id: str, state: str) -> bool:
    """Mark a living worker as draining or stopped."""
    return tx.run(_SET_STATE, {"id": worker_id, "state": state}) == 1


def declare_dead(tx: Tx, dead_after_us: int) -> list[str]:
    """Declare workers dead that have not renewed their lease for so long; their ids."""
    return [row.id for row in tx.rows(_DECLARE_DEAD, {"dead_after_us": dead_after_us})]


def orphaned(tx: Tx) -> list[tuple[str, int]]:
    """Runs and ticks (with attempt) whose worker is dead or has stopped."""
    return [(row.id, row.attempt) for row in tx.rows(_ORPHANED)]


def forget_old(tx: Tx, age_us: int) -> int:
    """Delete workers that ended so long ago; how many there were."""
    return tx.run(_FORGET, {"age_us": age_us})


def list_workers(scope: Scope, tx: Tx) -> list[WorkerRow]:
    """The scope's workers, newest first, the ended ones of the last days too."""
    rows = tx.rows(_WORKERS, {"organization_id": scope.organization_id})
    return [_worker(row) for row in rows if scope.project_ids is None or row.project_id in scope.project_ids]


def count_running(tx: Tx, worker_ids: Sequence[str]) -> dict[str, int]:
    """How many runs and ticks each of these workers executes; none is left out."""
    return {row.worker_id: row.leases for row in tx.rows(_RUNNING, {"ids": list(worker_ids)})}


def _worker(row: Row[Any]) -> WorkerRow:
    return WorkerRow(
        row.id, row.project_id, row.host, row.pid, row.version, row.deployment_id, tuple(json.loads(row.queues)),
        row.concurrency, row.state, row.memory_mib, from_micros(row.started_at), from_micros(row.heartbeat_at),
    )  # fmt: skip
