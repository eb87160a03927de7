"""Make a backfill of a schedule, say what it would do, cancel it. Beat carries it out: `operations/carry_out_backfill`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from keystroke.clock import rfc3339, to_micros
from keystroke.domain.actor import Actor
from keystroke.domain.backfill import MOST_TIMES, Backfill, BackfillPlan
from keystroke.domain.scope import Scope
from keystroke.errors import (
    BackfillEnded,
    BackfillNotFound,
    InvalidTriggerChange,
    PathError,
    TriggerRetired,
    WrongTriggerKind,
)
from keystroke.operations.set_trigger import timing_of
from keystroke.store import Database, Tx, access, backfills, sources
from keystroke.store.access import Project
from keystroke.store.sources import Source

_INSTANT: Final = timedelta(microseconds=1)
#: Times that a plan names.
_MOST_SHOWN: Final = 100
_OTHERS: Final = {
    "webhook": "its deliveries are replayed instead.",
    "poll": "it finds what is there now, not what was there then.",
}


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """A wish to fire for the times from `first` on and before `end`; with `reprocess` also those that were fired for."""

    actor: Actor
    first: datetime
    end: datetime
    reprocess: bool = False


def plan_backfill(tx: Tx, source: Source, request: BackfillRequest) -> BackfillPlan:
    """What a backfill would do now. Raises what `start_backfill` raises."""
    times = _times(source, request)
    fired = set() if request.reprocess else _fired(tx, source, request)
    left = [at for at in times if to_micros(at) not in fired]
    return BackfillPlan(len(times), len(times) - len(left), tuple(left[:_MOST_SHOWN]))


def start_backfill(
    database: Database, project: Project, source_id: str, request: BackfillRequest
) -> Backfill:
    """Make it; beat begins with it within a second. It is audited, and its ticks and runs name who asked for it.

    Raises TriggerRetired, WrongTriggerKind (only schedules have times that have passed), InvalidTriggerChange (the range is
    empty, lies in the future, or has too many times).
    """
    with database.transaction() as tx:
        source = sources.lock_source(tx, source_id)
        total = len(_times(source, request))
        made = backfills.insert_backfill(
            tx, source, request.first, request.end, request.reprocess, total, request.actor
        )
        target = f"{project.slug}/{source.slug}"
        access.audit(tx, project.organization_id, request.actor, "trigger.backfill", target, made.id)
    return made


def cancel_backfill(database: Database, scope: Scope, actor: Actor, backfill_id: str) -> Backfill:
    """End it: nothing more is fired, and what was started goes on. Raises BackfillNotFound, BackfillEnded."""
    with database.transaction() as tx:
        found = backfills.get_backfill(scope, tx, backfill_id)
        found = backfills.lock_backfill(tx, found.id)
        project = access.find_project(scope, tx, found.project_id)
        if project is None:
            raise BackfillNotFound(backfill=backfill_id)
        if not backfills.end(tx, found.id, "canceled"):
            raise BackfillEnded(backfill=found.id, status=found.status)
        target = f"{project.slug}/{found.trigger}"
        access.audit(tx, project.organization_id, actor, "trigger.cancel_backfill", target, found.id)
        return backfills.backfill_of(tx, found.id)


def _times(source: Source, request: BackfillRequest) -> list[datetime]:
    """The times of the range, oldest first."""
    kind, name = source.manifest.kind, f"trigger {source.slug}"
    if source.retired_at is not None:
        raise TriggerRetired(trigger=source.slug)
    if kind != "schedule":
        raise WrongTriggerKind(trigger=source.slug, kind=kind, why=_OTHERS[kind])
    wrong = None
    if request.end > source.now:
        wrong = PathError("$.to", f"is in the future; it is {rfc3339(source.now)}")
    elif request.first >= request.end:
        wrong = PathError("$.from", "is not before `to`")
    if wrong is not None:
        raise InvalidTriggerChange(what=name, errors=[wrong])
    timing = timing_of(source)
    times = timing.fires(request.first - _INSTANT, request.end - _INSTANT, MOST_TIMES + 1)
    if len(times) > MOST_TIMES:
        message = f"the range has more than {MOST_TIMES} times, the most that are backfilled at once"
        raise InvalidTriggerChange(what=name, errors=[PathError("$.from", message)])
    return times


def _fired(tx: Tx, source: Source, request: BackfillRequest) -> set[int]:
    return backfills.fired_between(tx, source.id, request.first, request.end)
