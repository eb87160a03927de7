"""Backfills: made, read, moved on a batch at a time by whoever has its row, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke import ids
from keystroke.clock import from_micros, to_micros
from keystroke.domain.actor import Actor
from keystroke.domain.backfill import Backfill, BackfillStatus
from keystroke.domain.scope import Scope
from keystroke.domain.trigger_event import BACKFILL
from keystroke.errors import BackfillNotFound
from keystroke.store.access import find_project
from keystroke.store.database import Tx
from keystroke.store.sources import Source
from keystroke.store.sql import Sql

_SELECT: Final = """
select backfills.*, sources.slug from backfills join sources on sources.id = backfills.source_id
"""
_BY_ID: Final = Sql(f"{_SELECT} where backfills.id = :id")
_OF_SOURCE: Final = Sql(f"""{_SELECT}
where backfills.source_id = :source_id and backfills.id < :before order by backfills.id desc limit :limit
""")
_ANY_RUNNING: Final = Sql("select 1 from backfills where status = 'running' and id > :after limit 1")
_NEXT: Final = Sql("""
select id from backfills where status = 'running' and id > :after order by id limit 1 {for_update} {skip_locked}
""")
_LOCK: Final = Sql("select id from backfills where id = :id {for_update}")
_INSERT: Final = Sql("""
insert into backfills (id, project_id, source_id, range_from, range_to, reprocess, status, total, created_at, updated_at,
    finished_at, actor_type, actor_id, actor_name)
values (:id, :project_id, :source_id, :range_from, :range_to, :reprocess, :status, :total, {now}, {now},
    case when :status = 'running' then cast(null as bigint) else {now} end, :actor_type, :actor_id, :actor_name)
""")
_MOVE: Final = Sql("""
update backfills set fired = fired + :fired, skipped = skipped + :skipped, failed = failed + :failed,
    cursor_at = :cursor_at, updated_at = {now}
where id = :id and status = 'running'
""")
_END: Final = Sql("""
update backfills set status = :status, error = :error, updated_at = {now}, finished_at = {now}
where id = :id and status = 'running'
""")
# By the clock, or by a backfill; what was missed counts as nothing.
_FIRED: Final = Sql("""
select distinct scheduled_at from ticks
where source_id = :source_id and scheduled_at >= :first and scheduled_at <= :last and outcome = 'fired' and dry_run = 0
    and (origin = '' or origin like :backfilled)
""")


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of some times."""

    fired: int
    skipped: int
    failed: int


def insert_backfill(
    tx: Tx, source: Source, first: datetime, end: datetime, reprocess: bool, total: int, actor: Actor
) -> Backfill:  # fmt: skip
    """Make one; without any time in its range it has ended as it is made."""
    backfill_id = ids.new("bfl")
    tx.run(
        _INSERT,
        {
            "id": backfill_id, "project_id": source.project_id, "source_id": source.id, "range_from": to_micros(first),
            "range_to": to_micros(end), "reprocess": int(reprocess), "status": "running" if total else "completed",
            "total": total, "actor_type": actor.type, "actor_id": actor.id, "actor_name": actor.name,
        },
    )  # fmt: skip
    return backfill_of(tx, backfill_id)


def backfill_of(tx: Tx, backfill_id: str) -> Backfill:
    """One by its id, which exists."""
    return _backfill(tx.rows(_BY_ID, {"id": backfill_id})[0])


def get_backfill(scope: Scope, tx: Tx, backfill_id: str) -> Backfill:
    """One by its id, as far as the scope sees its project; BackfillNotFound."""
    row = tx.row(_BY_ID, {"id": backfill_id})
    if row is None or find_project(scope, tx, row.project_id) is None:
        raise BackfillNotFound(backfill=backfill_id)
    return _backfill(row)


def list_backfills(
    scope: Scope, tx: Tx, source: Source, *, before: str | None = None, limit: int
) -> list[Backfill]:
    """The newest of a source that the scope was given, with ids below `before`."""
    wanted = {"source_id": source.id, "before": before or "bfl_~", "limit": limit}
    return [_backfill(row) for row in tx.rows(_OF_SOURCE, wanted)]


def any_running(tx: Tx, after: str) -> bool:
    """Whether one goes on behind this id."""
    return tx.row(_ANY_RUNNING, {"after": after}) is not None


def lock_next(tx: Tx, after: str) -> Backfill | None:
    """The next that goes on behind this id, its row locked; those that somebody else has locked are passed over."""
    found = tx.value(_NEXT, {"after": after})
    return None if found is None else backfill_of(tx, found)


def lock_backfill(tx: Tx, backfill_id: str) -> Backfill:
    """One that exists, its row locked."""
    tx.row(_LOCK, {"id": backfill_id})
    return backfill_of(tx, backfill_id)


def move_on(tx: Tx, backfill_id: str, cursor_at: datetime, counts: Counts) -> None:
    """Note that all times up to this one were decided on, and how."""
    tx.run(
        _MOVE,
        {
            "id": backfill_id, "cursor_at": to_micros(cursor_at), "fired": counts.fired, "skipped": counts.skipped,
            "failed": counts.failed,
        },
    )  # fmt: skip


def end(tx: Tx, backfill_id: str, status: BackfillStatus, error: str | None = None) -> bool:
    """End it; False where it has ended already."""
    return tx.run(_END, {"id": backfill_id, "status": status, "error": error}) == 1


def fired_between(tx: Tx, source_id: str, first: datetime, last: datetime) -> set[int]:
    """The times (microseconds) from the first to the last for which a schedule has fired, by its clock or by a backfill."""
    wanted = {
        "source_id": source_id, "first": to_micros(first), "last": to_micros(last), "backfilled": f"{BACKFILL}%",
    }  # fmt: skip
    return {int(row.scheduled_at) for row in tx.rows(_FIRED, wanted)}


def _backfill(row: Row[Any]) -> Backfill:
    return Backfill(
        row.id, row.project_id, row.source_id, row.slug, from_micros(row.range_from), from_micros(row.range_to),
        bool(row.reprocess), row.status, row.total, row.fired, row.skipped, row.failed, from_micros(row.cursor_at), row.error,
        from_micros(row.created_at), from_micros(row.updated_at), from_micros(row.finished_at),
        Actor(row.actor_type, row.actor_id, row.actor_name),
    )  # fmt: skip
