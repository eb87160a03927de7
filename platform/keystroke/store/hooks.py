"""Hooks: made by the attempt that asks, answered from outside, settled by the attempt that waits.

Whoever changes a hook holds its run's row: `insert` under the attempt's hold (`runs.lock`), an answer after locking the row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.actor import Actor
from keystroke.domain.hook import Hook, HookStatus
from keystroke.domain.payload import decode_payload
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

#: What `hook_of` reads.
COLUMNS: Final = """hooks.id, hooks.project_id, hooks.run_id, hooks.step, hooks.name, hooks.key_id, hooks.schema, hooks.one_click,
    hooks.status, hooks.awaited, hooks.created_at, hooks.expires_at, hooks.answered_at, hooks.answer, hooks.actor_type,
    hooks.actor_id, hooks.actor_name, hooks.answered_from"""
# Written again after a commit whose answer was lost, it leaves the row alone.
_INSERT: Final = Sql("""
insert into hooks (id, project_id, run_id, step, name, token_hash, key_id, schema, one_click, status, created_at, expires_at)
select :id, :project_id, :run_id, :step, :name, :token_hash, :key_id, :schema, :one_click, 'waiting', clock.now,
    clock.now + :timeout_us
from (select {now} as now) clock where true
on conflict (run_id, step) do nothing
""")
_OF_STEP: Final = Sql(f"select {COLUMNS} from hooks where run_id = :run_id and step = :step")
_IS_OVER: Final = Sql("""
select status, answer, expires_at - {now} as left_us from hooks where run_id = :run_id and step = :step
""")
_EXPIRE: Final = Sql("""
update hooks set status = 'expired', awaited = 0 where run_id = :run_id and step = :step and status = 'waiting'
""")


@dataclass(frozen=True, slots=True)
class NewHook:
    """What the creation of a hook inserts. `token_hash` is the token's SHA-256 in hexadecimal, `timeout_us` microseconds."""

    id: str
    project_id: str
    run_id: str
    step: str
    name: str
    token_hash: str
    key_id: str
    schema_text: str
    one_click: bool
    timeout_us: int | None


@dataclass(frozen=True, slots=True)
class HookState:
    """Where a hook is by the database's clock: `left_us` microseconds until its time is over; None: it has all the time."""

    status: HookStatus
    answer: Any
    left_us: int | None


def insert(tx: Tx, hook: NewHook) -> Hook:
    """The hook of that step on record, inserted now unless it is there; the transaction holds the run."""
    tx.run(
        _INSERT,
        {
            "id": hook.id, "project_id": hook.project_id, "run_id": hook.run_id, "step": hook.step, "name": hook.name,
            "token_hash": hook.token_hash, "key_id": hook.key_id, "schema": hook.schema_text,
            "one_click": int(hook.one_click), "timeout_us": hook.timeout_us,
        },
    )  # fmt: skip
    row = tx.row(_OF_STEP, {"run_id": hook.run_id, "step": hook.step})
    assert row is not None, "inserted in this transaction"
    return hook_of(row)


def state_of(tx: Tx, run_id: str, step: str) -> HookState:
    """Where the hook of that step is; read it after the run's row was locked."""
    row = tx.row(_IS_OVER, {"run_id": run_id, "step": step})
    assert row is not None, "a hook's step is recorded together with its row"
    return HookState(HookStatus(row.status), decode_payload(row.answer), row.left_us)


def expire(tx: Tx, run_id: str, step: str) -> None:
    """Nobody answered in time; the transaction holds the run."""
    tx.run(_EXPIRE, {"run_id": run_id, "step": step})


def hook_of(row: Row[Any], *, payloads: bool = True) -> Hook:
    """A hook from a row of COLUMNS; without its answer where `payloads` is False."""
    actor = None if row.actor_type is None else Actor(row.actor_type, row.actor_id, row.actor_name)
    return Hook(
        id=row.id, project_id=row.project_id, run_id=row.run_id, step=row.step, name=row.name, key_id=row.key_id,
        schema=json.loads(row.schema), one_click=bool(row.one_click), status=HookStatus(row.status),
        awaited=bool(row.awaited), created_at=from_micros(row.created_at), expires_at=from_micros(row.expires_at),
        answered_at=from_micros(row.answered_at), answer=decode_payload(row.answer) if payloads else None,
        answered_by=actor, answered_from=row.answered_from,
    )  # fmt: skip
