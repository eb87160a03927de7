"""Schedules: which are due, the ticks that are recorded for them, and the runs of theirs that go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keystroke import ids
from keystroke.clock import to_micros
from keystroke.domain.actor import Actor
from keystroke.domain.source import Outcome, attachment_id
from keystroke.store import sources
from keystroke.store.database import Tx
from keystroke.store.sources import Source
from keystroke.store.sql import Sql

#: What a run is parked on that waits for the end of the one before it, of the same attachment.
OVERLAP: Final = "overlap"
_ON: Final = "due_at is not null and retired_at is null and disabled_at is null"
_NEXT: Final = Sql(f"select min(due_at) - {{now}} from sources where {_ON} and kind = 'schedule'")
_DUE: Final = Sql(f"""
select id from sources where due_at <= {{now}} and {_ON} and kind = 'schedule'
order by due_at limit :most {{for_update}} {{skip_locked}}
""")
_SET_CLOCK: Final = Sql("""
update sources set next_at = :next_at, due_at = :due_at, last_at = :last_at, started_at = :started_at, passed = :passed
where id = :id
""")
_PAUSE: Final = Sql("""
update sources set paused_until = :until, pause_reason = :reason, updated_at = {now} where id = :id
""")
_INSERT_TICK: Final = Sql("""
insert into ticks (id, project_id, source_id, kind, origin, scheduled_at, previous_at, missed, created_at, fired_at, status,
    outcome, finished_at, run_ids, error, actor_type, actor_id, actor_name)
select :id, :project_id, :source_id, 'schedule', :origin, coalesce(cast(:scheduled_at as bigint), clock.now),
    cast(:previous_at as bigint), :missed, clock.now, clock.now, 'ended', :outcome, clock.now, :run_ids,
    cast(:error as text), cast(:actor_type as text), cast(:actor_id as text), cast(:actor_name as text)
from (select {now} as now) clock
""")
# In the words of the index `runs_active_of_trigger`: SQLite uses a partial index only where it finds its condition.
_ACTIVE: Final = (
    """trigger_type = 'schedule' and status in ('queued', 'running', 'sleeping', 'waiting_on_hook')"""
)
# A backfill and whoever fires by hand neither hold up the clock nor are held up by it.
_BY_THE_CLOCK: Final = """not exists (
    select 1 from ticks where ticks.id = {runs}.trigger_id and ticks.origin <> '')"""
# As an expression, so that SQLite is not led to walk over all runs of the project in this order.
_IN_ORDER: Final = "id || ''"
_ACTIVE_RUNS: Final = f"""
select id, parked_on from runs
where project_id = :project_id and trigger_value = :attachment and {_ACTIVE} and {_BY_THE_CLOCK.format(runs="runs")}
order by {_IN_ORDER}
"""
_LOOK_AT_ACTIVE: Final = Sql(_ACTIVE_RUNS)
_LOCK_ACTIVE: Final = Sql(f"{_ACTIVE_RUNS} {{for_update}}")
_PARK: Final = Sql("""
update runs set parked_on = :parked_on where id = :run_id and status = 'queued' and parked_on is null
""")
_EARLIER: Final = f"""select 1 from runs earlier
    where earlier.project_id = runs.project_id and earlier.trigger_value = runs.trigger_value
    and earlier.{_ACTIVE.replace("and status", "and earlier.status")} and earlier.id || '' < runs.id
    and {_BY_THE_CLOCK.format(runs="earlier")}"""
_UNPARK: Final = Sql(f"""
update runs set parked_on = null where status = 'queued' and parked_on = :parked_on and id in (
    select runs.id from runs where runs.project_id in (select id from projects) and runs.status = 'queued'
        and runs.parked_on = :parked_on and not exists ({_EARLIER}) limit :most)
returning project_id, queue
""")
_WAITING: Final = Sql("""
select 1 from projects where exists (
    select 1 from runs where runs.project_id = projects.id and runs.status = 'queued' and runs.parked_on = :parked_on)
""")
# In the words of the index `runs_by_trigger`.
_OF_TRIGGERS: Final = "trigger_type in ('webhook', 'schedule', 'poll')"
_SINCE_SUCCESS: Final = f"""select count(*) from runs
    where runs.project_id = sources.project_id and runs.{_OF_TRIGGERS} and runs.trigger_type = 'schedule'
    and runs.trigger_value = sources.slug || ':' || attachments.workflow
    and runs.status = 'failed' and runs.created_at >= sources.armed_at and runs.id > coalesce((
        select success.id from runs success where success.project_id = sources.project_id and success.{_OF_TRIGGERS}
        and success.trigger_type = 'schedule' and success.trigger_value = sources.slug || ':' || attachments.workflow
        and success.status = 'success' order by success.id desc limit 1), '')"""
_FAILING: Final = Sql(f"""
select distinct sources.id from sources join attachments on attachments.source_id = sources.id
where sources.pause_after is not null and sources.retired_at is null and sources.disabled_at is null
    and coalesce(sources.paused_until, 0) <= {{now}} and sources.kind = 'schedule' and attachments.retired_at is null
    and (cast(:all as integer) = 1 or sources.id {{in:ids}})
    and ({_SINCE_SUCCESS}) >= sources.pause_after
""")


@dataclass(frozen=True, slots=True)
class NewTick:
    """A tick of a schedule to be recorded; `scheduled_at` None stands for now. `missed` are the times before it without a start.

    Of the clock `origin` is empty and `actor` None.
    """

    id: str
    source: Source
    scheduled_at: datetime | None
    outcome: Outcome
    run_ids: tuple[str, ...] = ()
    previous_at: datetime | None = None
    missed: int = 0
    error: str | None = None
    origin: str = ""
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """What the clock writes of a schedule: see `sources.Source`, whose fields these are."""

    source_id: str
    next_at: datetime | None
    due_at: datetime | None
    last_at: datetime | None
    started_at: datetime | None
    passed: int


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run that has not ended; `waits` for one before it of the same attachment."""

    run_id: str
    waits: bool


def until_next(tx: Tx) -> int | None:
    """Microseconds until a schedule is due, below zero where one is; None where there is none."""
    found: int | None = tx.value(_NEXT)
    return found


def lock_due(tx: Tx, most: int) -> list[Source]:
    """Schedules that are due, longest first, their rows locked, paused ones too; not those that somebody else has locked."""
    found = [row.id for row in tx.rows(_DUE, {"most": most})]
    if not found:
        return []
    return sorted(sources.lock_sources(tx, found), key=lambda source: source.due_at or source.now)


def new_tick_id() -> str:
    """The id of a tick."""
    return ids.new("tick")


def insert_ticks(tx: Tx, ticks: Sequence[NewTick]) -> None:
    """Record ticks that have ended; the caller holds their sources' rows, so that none is there already."""
    tx.run_many(_INSERT_TICK, [_row(each) for each in ticks])


def set_clocks(tx: Tx, clocks: Sequence[Clock]) -> None:
    """Move schedules on to their next times."""
    tx.run_many(
        _SET_CLOCK,
        [
            {
                "id": each.source_id, "next_at": to_micros(each.next_at), "due_at": to_micros(each.due_at),
                "last_at": to_micros(each.last_at), "started_at": to_micros(each.started_at), "passed": each.passed,
            }
            for each in clocks
        ],
    )  # fmt: skip


def pause(tx: Tx, source_id: str, until: datetime, reason: str) -> None:
    """Let a source rest until then."""
    tx.run(_PAUSE, {"id": source_id, "until": to_micros(until), "reason": reason})


def active_runs(tx: Tx, source: Source, workflow: str, *, lock: bool = False) -> list[ActiveRun]:
    """The runs of an attachment that the clock has started and that have not ended, oldest first; locked if wanted."""
    named = {"project_id": source.project_id, "attachment": attachment_id(source.slug, workflow)}
    rows = tx.rows(_LOCK_ACTIVE if lock else _LOOK_AT_ACTIVE, named)
    return [ActiveRun(row.id, row.parked_on == OVERLAP) for row in rows]


def park(tx: Tx, run_id: str) -> None:
    """Let a run that was just started wait for the end of those before it."""
    tx.run(_PARK, {"run_id": run_id, "parked_on": OVERLAP})


def any_waiting(tx: Tx) -> bool:
    """Whether a run waits for the end of the one before it."""
    return tx.row(_WAITING, {"parked_on": OVERLAP}) is not None


def unpark(tx: Tx, most: int) -> set[tuple[str, str]]:
    """Let those go on before which nothing is active any more; the (project id, queue) pairs to wake."""
    rows = tx.rows(_UNPARK, {"parked_on": OVERLAP, "most": most})
    return {(row.project_id, row.queue) for row in rows}


def failing(tx: Tx, source_ids: Sequence[str] | None = None) -> list[str]:
    """The schedules (of these, or all) that as many runs in a row have failed of as pauses them.

    A row is counted for each workflow by itself, since the source was armed.
    """
    rows = tx.rows(_FAILING, {"all": int(source_ids is None), "ids": list(source_ids or ())})
    return [row.id for row in rows]


def _row(tick: NewTick) -> dict[str, object]:
    actor = tick.actor
    return {
        "id": tick.id, "project_id": tick.source.project_id, "source_id": tick.source.id, "origin": tick.origin,
        "scheduled_at": to_micros(tick.scheduled_at), "previous_at": to_micros(tick.previous_at),
        "missed": tick.missed, "outcome": tick.outcome, "run_ids": json.dumps(list(tick.run_ids)), "error": tick.error,
        "actor_type": actor and actor.type, "actor_id": actor and actor.id, "actor_name": actor and actor.name,
    }  # fmt: skip
