"""Fire schedules: a tick, the runs that it starts and the schedule's next time are one transaction.

Any number may do this at once: the row of a schedule is locked by whoever looks after it, and passed over by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import SYSTEM
from keystroke.domain.catch_up import Overlap, Policy, what_is_due
from keystroke.domain.schedule import Timing
from keystroke.domain.scope import Scope
from keystroke.domain.source import Outcome
from keystroke.domain.states import Reason
from keystroke.errors import KeystrokeError
from keystroke.operations.canceling import CancelRequested, cancel_within
from keystroke.operations.pause_failing import pause_failing_of
from keystroke.operations.start_attached import SourceEvent, Wish, start_attached, wishes
from keystroke.operations.start_run import StartedRun
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, deployments, schedules
from keystroke.store.schedules import Clock, NewTick
from keystroke.store.sources import Source

#: Schedules that are looked after in one transaction, and ticks with which it has enough.
_BATCH: Final = 25
_MOST_TICKS: Final = 40
_INSTANT: Final = timedelta(microseconds=1)
#: A pause that is longer ends by hand.
_LONGEST_PAUSE: Final = timedelta(days=36_525)


@dataclass(slots=True)
class Fired:
    """What a look at some schedules came to: their ticks, queues to wake, (project id, queue), and runs that were canceled.

    Tell the workers of those of `canceled` that are running; `paused` are the schedules that were paused since their runs fail.
    """

    ticks: list[NewTick] = field(default_factory=list)
    woken: set[tuple[str, str]] = field(default_factory=set)
    canceled: list[CancelRequested] = field(default_factory=list)
    paused: list[Source] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """A run that is to be started: whether it `waits` for those that go on, or `cancels` them."""

    wish: Wish
    waits: bool = False
    cancels: bool = False


def until_next_schedule(database: Database) -> float | None:
    """Seconds until a schedule is due, zero or less where one is; None where there is none."""
    with database.single_read() as tx:
        until = schedules.until_next(tx)
    return None if until is None else until / 1_000_000


def fire_due_schedules(
    database: Database, settings: Settings, box: Box | None, most: int = _BATCH
) -> Fired | None:
    """Look after schedules whose time has come, at most so many; None where there is none that nobody else has taken."""
    with database.transaction() as tx:
        due = schedules.lock_due(tx, most)
        fired = _Firing(tx, due, settings, box).all() if due else None
        if due:
            crash_point("schedule-firing")
    if due:
        crash_point("schedule-fired")
    return fired


class _Firing:
    """The schedules of one transaction, one after the other."""

    def __init__(self, tx: Tx, due: Sequence[Source], settings: Settings, box: Box | None) -> None:
        self._tx, self._settings, self._box = tx, settings, box
        self._projects = access.projects_of(tx, (source.project_id for source in due))
        self._due = self._alone(due)
        self._fired = Fired()

    def all(self) -> Fired:
        """Fire them, and record what came of it."""
        self._fired.paused = pause_failing_of(self._tx, self._due, self._settings)
        clocks = [self._fire(source) for source in self._due if len(self._fired.ticks) < _MOST_TICKS]
        schedules.insert_ticks(self._tx, self._fired.ticks)
        schedules.set_clocks(self._tx, clocks)
        return self._fired

    def _alone(self, due: Sequence[Source]) -> list[Source]:
        """Those that go together: one that waits for locks of other runs goes alone, so that nobody waits in a circle."""
        waits = [self._waits_for_others(source) for source in due]
        return list(due[:1]) if waits[0] else list(due[: waits.index(True)] if any(waits) else due)

    def _waits_for_others(self, source: Source) -> bool:
        if source.manifest.options.get("overlap") == "cancel_running":
            return True
        project = self._projects[source.project_id]
        workflows = deployments.get_workflows(Scope(project.organization_id), self._tx, project)
        attached = (workflows.get(each.workflow) for each in source.attachments)
        limits = [each.concurrency for each in attached if each is not None and each.concurrency]
        return any(limit["policy"] != "queue" for limit in limits)

    def _fire(self, source: Source) -> Clock:
        try:
            timing = Timing.from_options(source.manifest.options)
        except ValueError as problem:
            # It was published by another version, which knows times that this one does not.
            self._record(source, _at(source), "error", source.started_at, source.passed, error=str(problem))
            return Clock(source.id, None, None, _at(source), source.started_at, source.passed)
        if not source.active or source.id in {each.id for each in self._fired.paused}:
            next_at = self._after_pause(source, timing)
            return _clock(source, timing, next_at, source.last_at, source.started_at, source.passed)
        return self._fire_times(source, timing)

    def _after_pause(self, source: Source, timing: Timing) -> datetime | None:
        """The first time after its pause; None where somebody has to resume it, who sets the time then."""
        until = source.paused_until
        if until is None or until - source.now > _LONGEST_PAUSE:
            return None
        return timing.next_after(max(source.now, until))

    def _fire_times(self, source: Source, timing: Timing) -> Clock:
        policy = Policy.from_options(source.manifest.options)
        due = what_is_due(timing, source.id, policy, _since(source), source.now)
        at, started, passed = source.last_at, source.started_at, source.passed
        if due.given_up is not None:
            at, passed = due.given_up.at, passed + due.given_up.before
            self._record(source, at, "missed", started, passed)
            passed += 1
        for each in due.fires:
            at, passed = each.at, passed + each.before
            outcome = self._start(source, at, started, passed)
            started, passed = (at, 0) if outcome == "fired" else (started, passed + 1)
        return _clock(source, timing, due.next_at, at, started, passed)

    def _start(self, source: Source, at: datetime, started: datetime | None, missed: int) -> Outcome:
        """Start what is attached for one time, as far as its overlap allows; what came of it."""
        tick_id = schedules.new_tick_id()
        event = SourceEvent(tick_id, scheduled_at=at, previous_fire=started, missed=missed)
        wanted = wishes(source, source.manifest.options.get("payload"))
        overlap: Overlap = source.manifest.options.get("overlap") or "allow"
        places = [place for wish in wanted if (place := self._place(wish, overlap)) is not None]
        outcome, error, runs = _outcome(wanted, places), None, list[StartedRun]()
        try:
            runs = start_attached(
                self._tx, self._projects[source.project_id], event, [each.wish for each in places],
                self._settings, self._box,
            )  # fmt: skip
        except KeystrokeError as problem:
            outcome, error = "error", str(problem)
        for place, run in zip(places, runs, strict=False):
            self._settle(place, run)
        self._record(source, at, outcome, started, missed, tick_id, tuple(run.run_id for run in runs), error)
        return outcome

    def _place(self, wish: Wish, overlap: Overlap) -> _Place | None:
        """What becomes of a run beside those that go on; None: there is to be none."""
        if overlap == "allow":
            return _Place(wish)
        active = schedules.active_runs(self._tx, wish.source, wish.attachment.workflow)
        if overlap == "cancel_running":
            return _Place(wish, cancels=bool(active))
        # One goes on (or is about to), one waits.
        if active and (overlap == "skip" or any(each.waits for each in active[1:])):
            return None
        return _Place(wish, waits=bool(active))

    def _settle(self, place: _Place, run: StartedRun) -> None:
        self._fired.canceled += run.canceled
        if place.waits:
            schedules.park(self._tx, run.run_id)
        self._fired.woken |= {queue for each in run.canceled for queue in each.woken}
        self._fired.woken |= set() if place.waits else set(run.woken)
        # A limit of the workflow may have been in its way: then what goes on is left alone.
        if place.cancels and not run.status.terminal:
            self._cancel_others(place.wish, run.run_id)

    def _cancel_others(self, wish: Wish, run_id: str) -> None:
        # All rows first: a cancel takes the lock of the run's key, and nobody waits for a row who has one.
        active = schedules.active_runs(self._tx, wish.source, wish.attachment.workflow, lock=True)
        for each in active:
            if each.run_id == run_id:
                continue
            canceled = cancel_within(self._tx, each.run_id, SYSTEM, Reason.OVERLAP, self._settings)
            if canceled is not None:
                self._fired.canceled.append(canceled)
                self._fired.woken |= set(canceled.woken)

    def _record(
        self,
        source: Source,
        at: datetime,
        outcome: Outcome,
        started: datetime | None,
        missed: int,
        tick_id: str | None = None,
        run_ids: tuple[str, ...] = (),
        error: str | None = None,
    ) -> None:
        tick_id = tick_id or schedules.new_tick_id()
        self._fired.ticks.append(NewTick(tick_id, source, at, outcome, run_ids, started, missed, error))


def _outcome(wanted: Sequence[Wish], places: Sequence[_Place]) -> Outcome:
    """Before anything was refused; without an attachment that is switched on there is nobody to start."""
    if not wanted:
        return "unrouted"
    return "fired" if places else "skipped_overlap"


def _at(source: Source) -> datetime:
    """The time that is due."""
    return source.next_at or source.now


def _since(source: Source) -> datetime:
    """Times up to this one are not looked at: they were decided on, or passed while the schedule was disabled or paused."""
    resumed = (source.last_at, source.armed_at, source.paused_until)
    return max(_at(source) - _INSTANT, *(each for each in resumed if each is not None))


def _clock(
    source: Source,
    timing: Timing,
    next_at: datetime | None,
    last_at: datetime | None,
    started_at: datetime | None,
    passed: int,
) -> Clock:
    due_at = None if next_at is None else timing.due(source.id, next_at)
    return Clock(source.id, next_at, due_at, last_at, started_at, passed)
