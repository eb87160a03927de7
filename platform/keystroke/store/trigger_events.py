"""Deliveries and ticks as the events of their source: one list, newest first, in keyset pages; one of them with its trace.

Both kinds of id sort by creation, so what follows their mark is the place of an event in the list, whichever table it is in.
A delivery at an endpoint that several sources share belongs to each source that it names; one that
names another first is listed while it is among the ten thousand newest of its endpoint (behind the cursor).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.actor import Actor
from keystroke.domain.scope import Scope
from keystroke.domain.source import OUTCOMES, Outcome
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.trigger_event import (
    DELIVERY_MARK,
    INVOKE_METHOD,
    INVOKED,
    REPLAYED,
    TICK_MARK,
    TriggerEvent,
)
from keystroke.errors import TriggerEventNotFound
from keystroke.store import traces
from keystroke.store.database import Tx
from keystroke.store.sources import Source
from keystroke.store.sql import Sql

#: A list that takes longer is refused, as the list of runs is.
LONGEST_QUERY: Final = 2.0
#: Deliveries of a shared endpoint that a page looks at for those that name another source first.
LOOKED_AT: Final = 10_000
#: The newest events that are counted by their outcome.
COUNTED: Final = 100
#: Behind everything that an id is made of: a page that begins with the newest.
_NEWEST: Final = "~"

_TICKS: Final = """
select ticks.id, ticks.kind, ticks.source_id, sources.slug, coalesce(ticks.fired_at, ticks.created_at) as at, ticks.outcome,
    ticks.run_ids, ticks.origin, ticks.error, ticks.scheduled_at, ticks.missed, ticks.dry_run, ticks.started_at,
    ticks.finished_at, ticks.attempt, ticks.found, ticks.trace_id, ticks.actor_type, ticks.actor_id, ticks.actor_name
from ticks join sources on sources.id = ticks.source_id
"""
_OF_WANTED: Final = "and (cast(:all as integer) = 1 or outcome {in:outcomes})"
_TICK_PAGE: Final = Sql(f"""{_TICKS}
where ticks.source_id = :source_id and ticks.id < :before {_OF_WANTED} order by ticks.id desc limit :limit
""")
_TICK: Final = Sql(f"{_TICKS} where ticks.id = :id and ticks.source_id = :source_id")
_DELIVERIES: Final = """
select id, source_id, received_at, method, outcome, run_ids, error, replay_of from deliveries
"""
_DELIVERY_PAGE: Final = Sql(f"""{_DELIVERIES}
where source_id = :source_id and id < :before {_OF_WANTED} order by id desc limit :limit
""")
_IS_SHARED: Final = Sql("""
select 1 from sources where project_id = :project_id and endpoint = :endpoint and id <> :source_id limit 1
""")
# Those that name another source first are found among the newest of the endpoint, so that a page never reads all of them.
_SHARED_PAGE: Final = Sql(f"""
select id, source_id, received_at, method, outcome, run_ids, error, replay_of from (
    select * from deliveries where project_id = :project_id and endpoint = :endpoint and id < :before
    order by id desc limit :looked_at) newest
where sources like :named and (source_id is null or source_id <> :source_id) {_OF_WANTED} order by id desc limit :limit
""")
_DELIVERY: Final = Sql(f"""{_DELIVERIES}
where id = :id and project_id = :project_id and (source_id = :source_id or sources like :named)
""")
_LAST: Final = Sql("""
select sources.id,
    (select max(ticks.id) from ticks where ticks.source_id = sources.id) as tick,
    (select max(deliveries.id) from deliveries where deliveries.source_id = sources.id) as delivery
from sources where id {in:source_ids}
""")
_TICKS_BY_ID: Final = Sql(f"{_TICKS} where ticks.id {{in:ids}}")
_DELIVERIES_BY_ID: Final = Sql(f"{_DELIVERIES} where id {{in:ids}}")


def list_events(
    scope: Scope, tx: Tx, source: Source, *, outcomes: Sequence[Outcome] = (), before: str | None = None, limit: int
) -> list[TriggerEvent]:  # fmt: skip
    """The newest events of a source that the scope was given, perhaps of some outcomes alone, behind the place `before`.

    Raises QueryTooSlow.
    """
    wanted = {
        "source_id": source.id, "project_id": source.project_id, "limit": limit, "all": int(not outcomes),
        "outcomes": list(outcomes or OUTCOMES), "named": _named(source), "endpoint": source.manifest.options.get("endpoint"),
    }  # fmt: skip
    before = before or _NEWEST
    with tx.limited(LONGEST_QUERY):
        found = [_tick(scope, row) for row in tx.rows(_TICK_PAGE, wanted | {"before": TICK_MARK + before})]
        is_shared = wanted["endpoint"] is not None and tx.row(_IS_SHARED, wanted) is not None
        for page in (_DELIVERY_PAGE, _SHARED_PAGE) if is_shared else (_DELIVERY_PAGE,):
            rows = tx.rows(page, wanted | {"before": DELIVERY_MARK + before, "looked_at": LOOKED_AT})
            found += [_delivery(row, source) for row in rows]
    return sorted(found, key=lambda event: event.place, reverse=True)[:limit]


def get_event(scope: Scope, tx: Tx, source: Source, event_id: str) -> TriggerEvent:
    """One event of a source; TriggerEventNotFound."""
    wanted = {
        "id": event_id, "source_id": source.id, "project_id": source.project_id, "named": _named(source),
    }  # fmt: skip
    if event_id.startswith(TICK_MARK) and (tick := tx.row(_TICK, wanted)) is not None:
        return _tick(scope, tick)
    if event_id.startswith(DELIVERY_MARK) and (delivery := tx.row(_DELIVERY, wanted)) is not None:
        return _delivery(delivery, source)
    raise TriggerEventNotFound(event=event_id, trigger=source.slug)


def list_last_events(scope: Scope, tx: Tx, sources: Sequence[Source]) -> dict[str, TriggerEvent]:
    """The newest event of each source by the source's id; of a shared endpoint those that name it first."""
    by_id = {each.id: each for each in sources}
    rows = tx.rows(_LAST, {"source_ids": list(by_id)}) if by_id else []
    ticks = [row.tick for row in rows if row.tick]
    deliveries = [row.delivery for row in rows if row.delivery]
    found = [_tick(scope, row) for row in tx.rows(_TICKS_BY_ID, {"ids": ticks})] if ticks else []
    if deliveries:
        found += [
            _delivery(row, by_id[row.source_id]) for row in tx.rows(_DELIVERIES_BY_ID, {"ids": deliveries})
        ]
    last: dict[str, TriggerEvent] = {}
    for event in sorted(found, key=lambda each: each.place):
        last[event.trigger_id or ""] = event
    return last


def count_recent(scope: Scope, tx: Tx, source: Source) -> dict[str, int]:
    """How many of the newest events came to which outcome; those that are under way as `under_way`."""
    counts: dict[str, int] = {}
    for event in list_events(scope, tx, source, limit=COUNTED):
        name = event.outcome or "under_way"
        counts[name] = counts.get(name, 0) + 1
    return counts


def list_event_trace(
    scope: Scope, tx: Tx, event: TriggerEvent, *, limit: int
) -> tuple[list[Span], list[LogLine]]:
    """The first spans and log lines that were written under the id of a tick that the scope was given."""
    return traces.list_written_under(scope, tx, event.id, limit=limit)


def _named(source: Source) -> str:
    """A slug has none of the characters that LIKE gives a meaning to."""
    return f'%"{source.slug}"%'


def _tick(scope: Scope, row: Row[Any]) -> TriggerEvent:
    actor = Actor(row.actor_type, row.actor_id, row.actor_name) if row.actor_type else None
    return TriggerEvent(
        id=row.id, kind=row.kind, trigger=row.slug, trigger_id=row.source_id, at=from_micros(row.at), outcome=row.outcome,
        run_ids=tuple(json.loads(row.run_ids)), origin=row.origin, error=_error(row.error),
        scheduled_at=from_micros(row.scheduled_at), missed=row.missed, dry_run=bool(row.dry_run),
        started_at=from_micros(row.started_at), finished_at=from_micros(row.finished_at), attempt=row.attempt, actor=actor,
        found=json.loads(row.found) if row.found and scope.payloads else None, trace_id=row.trace_id,
    )  # fmt: skip


def _delivery(row: Row[Any], source: Source) -> TriggerEvent:
    """The delivery as an event of that source: it may have several."""
    at = from_micros(row.received_at)
    origin = f"{REPLAYED}{row.replay_of}" if row.replay_of else ""
    return TriggerEvent(
        id=row.id, kind="webhook", trigger=source.slug, trigger_id=source.id, at=at, outcome=row.outcome,
        run_ids=tuple(json.loads(row.run_ids)), origin=f"{INVOKED}{row.id}" if row.method == INVOKE_METHOD else origin,
        error=_error(row.error), started_at=at, finished_at=at, attempt=1,
    )  # fmt: skip


def _error(text: str | None) -> Any:
    """Errors are kept as JSON where they have parts, else as their sentence."""
    return json.loads(text) if text and text[:1] in "{[" else text
