"""Schedules that are to succeed in time: what they are judged by. `sources.succeeded_at` outlives the runs themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.source import SourceManifest, attachment_id
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_SCHEDULES: Final = """
select id, project_id, definition, succeeded_at, notified_at, {now} as now,
    case when paused_until > armed_at then paused_until else armed_at end as armed_at
from sources
where kind = 'schedule' and retired_at is null and disabled_at is null and (paused_until is null or paused_until <= {now})
"""
_ALL: Final = Sql(f"{_SCHEDULES} order by id")
_LOCKED: Final = Sql(f"{_SCHEDULES} and id = :id {{for_update}}")
# One attachment each, so that it is the last entry of an index: a schedule may fire each second for a month.
_SUCCEEDED: Final = Sql("""
select finished_at from runs
where project_id = :project_id and trigger_value = :attachment and trigger_type = 'schedule' and status = 'success'
order by finished_at desc limit 1
""")
_NOTE_SUCCESS: Final = Sql("""
update sources set succeeded_at = :at where id = :id and (succeeded_at is null or succeeded_at < :at)
""")
_NOTE_NOTICE: Final = Sql("update sources set notified_at = {now} where id = :id")


@dataclass(frozen=True, slots=True)
class Expecting:
    """A schedule that is on, with what it is judged by: since when a success counts, the last one, the last notice; `now`.

    A pause that is over counts as a new beginning: what was due in it was not expected.
    """

    id: str
    project_id: str
    manifest: SourceManifest
    armed_at: datetime
    succeeded_at: datetime | None
    notified_at: datetime | None
    now: datetime


def expecting(tx: Tx) -> list[Expecting]:
    """The schedules of all projects that are on and say `expected_within`."""
    found = (_expecting(row) for row in tx.rows(_ALL))
    return [each for each in found if each.manifest.options.get("expected_within")]


def lock_expecting(tx: Tx, source_id: str) -> Expecting | None:
    """One of them, its row locked; None where it is off by now."""
    row = tx.row(_LOCKED, {"id": source_id})
    return None if row is None else _expecting(row)


def succeeded_at(tx: Tx, schedule: Expecting) -> datetime | None:
    """When a run of it ended well last, as far as is known."""
    slug, known = schedule.manifest.slug, [schedule.succeeded_at]
    for each in schedule.manifest.attachments:
        row = {"project_id": schedule.project_id, "attachment": attachment_id(slug, each.workflow)}
        known.append(from_micros(tx.value(_SUCCEEDED, row)))
    return max((at for at in known if at is not None), default=None)


def note_success(tx: Tx, source_id: str, at: int) -> None:
    """Keep when a run of it ended well last (microseconds): retention may delete the run before the next one does."""
    tx.run(_NOTE_SUCCESS, {"id": source_id, "at": at})


def note_notice(tx: Tx, source_id: str) -> None:
    """Keep that somebody was told now."""
    tx.run(_NOTE_NOTICE, {"id": source_id})


def _expecting(row: Row[Any]) -> Expecting:
    return Expecting(
        row.id, row.project_id, SourceManifest.from_json(json.loads(row.definition)), from_micros(row.armed_at),
        from_micros(row.succeeded_at), from_micros(row.notified_at), from_micros(row.now),
    )  # fmt: skip
