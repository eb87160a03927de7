"""Carry out a backfill: a few of its times with their ticks and runs in one transaction, which also moves its cursor.

So each time is decided on exactly once, whoever dies. Who has the backfill's row does it, the others pass over it; the row of
its schedule is locked as well, so that the clock and several backfills see each other's ticks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from keystroke.box import Box
from keystroke.clock import to_micros
from keystroke.crashpoints import crash_point
from keystroke.domain.backfill import PRIORITY, Backfill
from keystroke.domain.schedule import Timing
from keystroke.domain.scope import Scope
from keystroke.domain.source import Outcome
from keystroke.errors import KeystrokeError
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.operations.start_run import StartedRun
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, backfills, deployments, schedules, sources
from keystroke.store.access import Project
from keystroke.store.backfills import Counts
from keystroke.store.schedules import NewTick
from keystroke.store.sources import Source

#: Times that are decided on in one transaction.
BATCH: Final = 25
_INSTANT: Final = timedelta(microseconds=1)
_YEAR: Final = timedelta(days=366)
_RETIRED: Final = "The schedule was retired: the code that is deployed now does not have it."
_NO_SCHEDULE: Final = "The trigger is no schedule any more."


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """A part of a backfill: the backfill as it is now, and the runs that were started; wake and interrupt for each of them."""

    backfill: Backfill
    started: tuple[StartedRun, ...]


def carry_out_next(
    database: Database, settings: Settings, box: Box | None, after: str = "", batch: int = BATCH
) -> CarriedOut | None:
    """Carry on the next backfill behind this id by one batch of times; None where there is none that nobody else has taken."""
    with database.single_read() as tx:
        if not backfills.any_running(tx, after):
            return None
    with database.transaction() as tx:
        backfill = backfills.lock_next(tx, after)
        if backfill is None:
            return None
        source = sources.lock_source(tx, backfill.trigger_id)
        started = _carry_on(tx, backfill, source, settings, box, batch)
        done = CarriedOut(backfills.backfill_of(tx, backfill.id), tuple(started))
        crash_point("backfill-firing")
    crash_point("backfill-fired")
    return done


def _carry_on(
    tx: Tx, backfill: Backfill, source: Source, settings: Settings, box: Box | None, batch: int
) -> list[StartedRun]:
    project = access.projects_of(tx, [source.project_id])[source.project_id]
    try:
        timing = _timing(source)
    except ValueError as problem:
        backfills.end(tx, backfill.id, "failed", str(problem))
        return []
    if _waits_for_others(tx, project, source):
        batch = 1
    after = backfill.range_from - _INSTANT if backfill.cursor_at is None else backfill.cursor_at
    times = timing.fires(after, backfill.range_to - _INSTANT, batch)
    fired = _fire(tx, project, backfill, source, times, _before(timing, after), settings, box)
    if times:
        backfills.move_on(tx, backfill.id, times[-1], _counted(fired.ticks, len(times)))
    if len(times) < batch:
        backfills.end(tx, backfill.id, "completed")
    return fired.runs


def _timing(source: Source) -> Timing:
    """When the schedule fires; ValueError where it does not any more."""
    if source.retired_at is not None:
        raise ValueError(_RETIRED)
    if source.manifest.kind != "schedule":
        raise ValueError(_NO_SCHEDULE)
    return Timing.from_options(source.manifest.options)


def _waits_for_others(tx: Tx, project: Project, source: Source) -> bool:
    """Whether a start may wait for runs that it replaces: those go one by one, so that nobody waits in a circle."""
    workflows = deployments.get_workflows(Scope(project.organization_id), tx, project)
    attached = (workflows.get(each.workflow) for each in source.attachments)
    limits = [each.concurrency for each in attached if each is not None and each.concurrency]
    return any(limit["policy"] != "queue" for limit in limits)


@dataclass(slots=True)
class _Fired:
    ticks: list[NewTick] = field(default_factory=list)
    runs: list[StartedRun] = field(default_factory=list)


def _fire(
    tx: Tx, project: Project, backfill: Backfill, source: Source, times: Sequence[datetime], previous: datetime | None,
    settings: Settings, box: Box | None,
) -> _Fired:  # fmt: skip
    """Fire for those times that are to be fired for; each knows the one before it."""
    done = _Fired()
    if not times:
        return done
    had = set() if backfill.reprocess else backfills.fired_between(tx, source.id, times[0], times[-1])
    for at in times:
        if to_micros(at) not in had:
            tick, runs = _fire_one(tx, project, backfill, source, previous, at, settings, box)
            done.ticks.append(tick)
            done.runs += runs
        previous = at
    schedules.insert_ticks(tx, done.ticks)
    return done


def _fire_one(
    tx: Tx, project: Project, backfill: Backfill, source: Source, previous: datetime | None, at: datetime,
    settings: Settings, box: Box | None,
) -> tuple[NewTick, list[StartedRun]]:  # fmt: skip
    tick_id, error, runs = schedules.new_tick_id(), None, list[StartedRun]()
    event = SourceEvent(
        tick_id, scheduled_at=at, previous_fire=previous, missed=0, actor=backfill.actor, priority=PRIORITY
    )
    wanted = wishes(source, source.manifest.options.get("payload"))
    outcome: Outcome = "fired" if wanted else "unrouted"
    try:
        runs = start_attached(tx, project, event, wanted, settings, box)
    except KeystrokeError as problem:
        # All is checked before the first write: one that cannot be started keeps no other from it.
        outcome, error = "error", str(problem)
    tick = NewTick(
        tick_id, source, at, outcome, tuple(run.run_id for run in runs), previous, 0, error, backfill.origin,
        backfill.actor,
    )  # fmt: skip
    return tick, runs


def _counted(ticks: Sequence[NewTick], times: int) -> Counts:
    fired = sum(tick.outcome == "fired" for tick in ticks)
    return Counts(fired=fired, skipped=times - len(ticks), failed=len(ticks) - fired)


def _before(timing: Timing, after: datetime) -> datetime | None:
    """The newest time that is not after that one, within a year."""
    found, _ = timing.newest(after - _YEAR, after, 1)
    return found[0] if found else None
