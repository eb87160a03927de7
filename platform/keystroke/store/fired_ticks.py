"""Ticks of schedules that somebody fired, by hand or by a backfill: ended as they are inserted, beside those of the clock.

Whoever inserts one holds the lock of the source's row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keystroke import ids
from keystroke.clock import to_micros
from keystroke.domain.actor import Actor
from keystroke.domain.source import Outcome
from keystroke.domain.trigger_event import BACKFILL
from keystroke.store.database import Tx
from keystroke.store.sources import Source
from keystroke.store.sql import Sql

_INSERT: Final = Sql("""
insert into ticks (id, project_id, source_id, kind, origin, scheduled_at, previous_at, created_at, fired_at, status, outcome,
    attempt, started_at, finished_at, run_ids, actor_type, actor_id, actor_name)
values (:id, :project_id, :source_id, :kind, :origin, :scheduled_at, :previous_at, {now}, {now}, 'ended', :outcome,
    1, {now}, {now}, :run_ids, :actor_type, :actor_id, :actor_name)
""")
# Of the clock, or of a backfill; what was missed counts as nothing.
_FIRED: Final = Sql("""
select distinct scheduled_at from ticks
where source_id = :source_id and scheduled_at >= :first and scheduled_at <= :last and outcome = 'fired' and dry_run = 0
    and (origin = '' or origin like :backfilled)
""")
_OF_ORIGIN: Final = Sql("""
select scheduled_at from ticks
where source_id = :source_id and scheduled_at >= :first and scheduled_at <= :last and origin = :origin
""")


@dataclass(frozen=True, slots=True)
class FiredTick:
    """A tick that has fired for `scheduled_at`, by somebody's wish; `previous_at` is the time before that."""

    id: str
    source: Source
    origin: str
    scheduled_at: datetime
    previous_at: datetime | None
    outcome: Outcome
    run_ids: Sequence[str]
    actor: Actor


def new_tick_id() -> str:
    """The id of a tick."""
    return ids.new("tick")


def insert_fired(tx: Tx, tick: FiredTick) -> None:
    """Put it on record."""
    tx.run(
        _INSERT,
        {
            "id": tick.id, "project_id": tick.source.project_id, "source_id": tick.source.id, "kind": tick.source.manifest.kind,
            "origin": tick.origin, "scheduled_at": to_micros(tick.scheduled_at), "previous_at": to_micros(tick.previous_at),
            "outcome": tick.outcome, "run_ids": json.dumps(list(tick.run_ids)), "actor_type": tick.actor.type,
            "actor_id": tick.actor.id, "actor_name": tick.actor.name,
        },
    )  # fmt: skip


def fired_between(tx: Tx, source_id: str, first: datetime, last: datetime) -> set[int]:
    """The times (microseconds) from the first to the last for which a source has fired, by the clock or by a backfill."""
    wanted = {
        "source_id": source_id, "first": to_micros(first), "last": to_micros(last), "backfilled": f"{BACKFILL}%",
    }  # fmt: skip
    return {int(row.scheduled_at) for row in tx.rows(_FIRED, wanted)}


def times_of_origin(tx: Tx, source_id: str, origin: str, first: datetime, last: datetime) -> set[int]:
    """The times (microseconds) in between for which there is a tick of that origin."""
    wanted = {
        "source_id": source_id, "first": to_micros(first), "last": to_micros(last), "origin": origin,
    }  # fmt: skip
    return {int(row.scheduled_at) for row in tx.rows(_OF_ORIGIN, wanted)}
