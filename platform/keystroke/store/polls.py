"""Polls: which are due, the ticks that are made for them, their state, and the items that they have brought before.

Whoever makes a tick of a source, or ends one, holds the lock of the source's row: of a group's, those of all of them, in the
order of their slugs. So none of them waits for another inside an index.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keystroke import ids
from keystroke.clock import from_micros, to_micros
from keystroke.domain.actor import Actor
from keystroke.domain.source import Outcome
from keystroke.store import sources
from keystroke.store.database import Tx
from keystroke.store.sources import Source
from keystroke.store.sql import Sql


def _active(name: str) -> str:
    return f"""{name}.kind = 'poll' and {name}.retired_at is null and {name}.disabled_at is null
        and ({name}.paused_until is null or {name}.paused_until <= {{now}})"""


# Of a group the first that is active stands for all of them: who has its lock makes the tick.
_DUE: Final = Sql(f"""
select id from sources where id in (
    select coalesce((
        select lead.id from sources lead where lead.project_id = due.project_id and lead.group_name = due.group_name
        and {_active("lead")} order by lead.slug limit 1), due.id)
    from sources due where due.due_at <= {{now}} and {_active("due")} order by due.due_at limit :limit)
and {_active("sources")} {{for_update}} {{skip_locked}}
""")
_ANY_DUE: Final = Sql(f"select 1 from sources where due_at <= {{now}} and {_active('sources')} limit 1")
_GROUP: Final = Sql("""
select id from sources
where project_id = :project_id and group_name = :group_name and kind = 'poll' and retired_at is null
""")
_TRY: Final = Sql("select id from sources where id {in:ids} {for_update} {skip_locked}")
_SET_CLOCK: Final = Sql(
    "update sources set next_at = :next_at, due_at = :next_at, last_at = :last_at where id = :id"
)
_SET_FAILURES: Final = Sql("""
update sources set failures = :failures, next_at = :next_at, due_at = :next_at where id = :id
""")
_INSERT_TICK: Final = Sql("""
insert into ticks (id, project_id, source_id, kind, origin, scheduled_at, previous_at, missed, dry_run, created_at, fired_at,
    status, outcome, queue, due_at, attempt, timeout_us, finished_at, run_ids, found, error, trace_id, actor_type, actor_id,
    actor_name)
select :id, :project_id, :source_id, 'poll', :origin, coalesce(cast(:scheduled_at as bigint), clock.now),
    cast(:previous_at as bigint), :missed, :dry_run, clock.now, clock.now,
    case when cast(:outcome as text) is null then 'queued' else 'ended' end, cast(:outcome as text), :queue,
    case when cast(:outcome as text) is null then clock.now end, 0, cast(:timeout_us as bigint),
    case when cast(:outcome as text) is not null then clock.now end, :run_ids, cast(:found as text), cast(:error as text),
    :trace_id, cast(:actor_type as text), cast(:actor_id as text), cast(:actor_name as text)
from (select {now} as now) clock where true
on conflict do nothing
""")
_UNFINISHED: Final = Sql("select id from ticks where source_id = :source_id and status <> 'ended'")
_ACTOR: Final = Sql("select actor_type, actor_id, actor_name from ticks where id = :tick_id")
_STATE: Final = Sql("select body, updated_at, updated_by from poll_states where source_id = :source_id")
_PUT_STATE: Final = Sql("""
insert into poll_states (source_id, body, updated_at, updated_by) values (:source_id, :body, {now}, :by)
on conflict (source_id) do update set body = excluded.body, updated_at = excluded.updated_at,
    updated_by = excluded.updated_by
""")
_DROP_STATE: Final = Sql("delete from poll_states where source_id = :source_id")
_SEEN: Final = Sql("""
select key from seen_items where source_id = :source_id and key {in:keys} and expires_at > {now}
""")
# What goes on coming is remembered for longer; noting that each time would be a write for every item of every tick.
_REMEMBER: Final = Sql("""
insert into seen_items (source_id, key, expires_at) values (:source_id, :key, {now} + :kept_us)
on conflict (source_id, key) do update set expires_at = excluded.expires_at
where seen_items.expires_at < excluded.expires_at - :kept_us / 10
""")


@dataclass(frozen=True, slots=True)
class NewTick:
    """A tick to be: one that a worker is to execute, or with an `outcome` one that has ended as it is inserted.

    `scheduled_at` None is now; `found` and `error` are JSON texts, `run_ids` the runs that it started.
    """

    source: Source
    origin: str = ""
    scheduled_at: datetime | None = None
    previous_at: datetime | None = None
    missed: int = 0
    dry_run: bool = False
    actor: Actor | None = None
    outcome: Outcome | None = None
    found: str | None = None
    error: str | None = None
    run_ids: Sequence[str] = ()
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class PollState:
    """What a poll goes on from: `body` is its JSON text, secrets sealed; `updated_by` a tick's id, or who has edited it."""

    body: str
    updated_at: datetime
    updated_by: str


def any_due(tx: Tx) -> bool:
    """Whether the time of any poll has come: a look that takes no lock."""
    return tx.row(_ANY_DUE) is not None


def due(tx: Tx, limit: int) -> list[Source]:
    """Polls whose time has come, locked, of a group its first; those that somebody else has locked are passed over."""
    return [sources.source_of(tx, row.id) for row in tx.rows(_DUE, {"limit": limit})]


def lock_group(tx: Tx, source: Source) -> list[Source]:
    """The polls that share the source's ticks, itself among them, by slug, locked; others that are retired are left out."""
    return sources.lock_sources(tx, _group(tx, source))


def try_group(tx: Tx, source: Source) -> list[Source]:
    """The same without waiting for anybody; none of them where somebody else has locked one."""
    group = _group(tx, source)
    locked = {row.id for row in tx.rows(_TRY, {"ids": group})}
    return sources.lock_sources(tx, group) if locked == set(group) else []


def _group(tx: Tx, source: Source) -> list[str]:
    group = source.manifest.options.get("group")
    if group is None:
        return [source.id]
    named = {"project_id": source.project_id, "group_name": group}
    return list({source.id, *(row.id for row in tx.rows(_GROUP, named))})


def new_tick_id() -> str:
    """The id of a tick."""
    return ids.new("tick")


def insert_tick(tx: Tx, tick: NewTick, tick_id: str) -> bool:
    """Insert a tick; False where there is one of that time and origin already."""
    source, options, actor = tick.source, tick.source.manifest.options, tick.actor
    timeout = options.get("timeout")
    row = {
        "id": tick_id, "project_id": source.project_id, "source_id": source.id, "origin": tick.origin,
        "scheduled_at": to_micros(tick.scheduled_at), "previous_at": to_micros(tick.previous_at), "missed": tick.missed,
        "dry_run": int(tick.dry_run), "outcome": tick.outcome, "queue": options.get("queue") or "default",
        "timeout_us": None if timeout is None else round(timeout * 1_000_000), "run_ids": json.dumps(list(tick.run_ids)),
        "found": tick.found, "error": tick.error, "trace_id": tick.trace_id or secrets.token_hex(16),
        "actor_type": actor and actor.type, "actor_id": actor and actor.id, "actor_name": actor and actor.name,
    }  # fmt: skip
    return tx.run(_INSERT_TICK, row) == 1


def unfinished(tx: Tx, source_id: str) -> str | None:
    """The id of the source's tick that has not ended."""
    tick_id: str | None = tx.value(_UNFINISHED, {"source_id": source_id})
    return tick_id


def set_clock(tx: Tx, source_id: str, next_at: datetime | None, last_at: datetime | None) -> None:
    """When the poll looks next, and when it has looked last."""
    tx.run(_SET_CLOCK, {"id": source_id, "next_at": to_micros(next_at), "last_at": to_micros(last_at)})


def set_failures(tx: Tx, source_id: str, failures: int, next_at: datetime | None) -> None:
    """How many ticks in a row have failed, and when the poll looks next."""
    tx.run(_SET_FAILURES, {"id": source_id, "failures": failures, "next_at": to_micros(next_at)})


def actor_of(tx: Tx, tick_id: str) -> Actor | None:
    """Who has fired the tick by hand; None: the clock."""
    row = tx.row(_ACTOR, {"tick_id": tick_id})
    return Actor(row.actor_type, row.actor_id, row.actor_name) if row and row.actor_type else None


def state_of(tx: Tx, source_id: str) -> PollState | None:
    """What the poll goes on from; None before its first tick that gave a state."""
    row = tx.row(_STATE, {"source_id": source_id})
    return None if row is None else PollState(row.body, from_micros(row.updated_at), row.updated_by)


def put_state(tx: Tx, source_id: str, body: str, by: str) -> None:
    """Replace the state: its JSON text, secrets sealed, and who wrote it. The caller holds the lock of the source's row."""
    tx.run(_PUT_STATE, {"source_id": source_id, "body": body, "by": by})


def drop_state(tx: Tx, source_id: str) -> None:
    """Have the poll begin anew: its next tick is given no state. The caller holds the lock of the source's row."""
    tx.run(_DROP_STATE, {"source_id": source_id})


def seen(tx: Tx, source_id: str, keys: Collection[str]) -> set[str]:
    """Which of these keys the source has brought before, and not too long ago."""
    rows = tx.rows(_SEEN, {"source_id": source_id, "keys": list(keys)}) if keys else ()
    return {row.key for row in rows}


def remember(tx: Tx, source_id: str, keys: Collection[str], kept_us: int) -> None:
    """Note that the source has brought these, so that they are known for so long (microseconds) after they came last."""
    tx.run_many(_REMEMBER, [{"source_id": source_id, "key": key, "kept_us": kept_us} for key in keys])
