"""Schedules of which no run has succeeded in time: told once, until one has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from keystroke.clock import to_micros
from keystroke.domain.schedule import Timing
from keystroke.operations.notify import notify_late
from keystroke.settings import Settings
from keystroke.store import Database, lateness
from keystroke.store.lateness import Expecting


@dataclass(frozen=True, slots=True)
class _Expected:
    """The time of a schedule whose run was to succeed, and by when."""

    at: datetime
    deadline: datetime


def find_late_schedules(database: Database, settings: Settings) -> list[str]:
    """Write a notification for each schedule that has become late; their slugs.

    A schedule is late when the first time that it had after its last success (or since it was put on) is longer ago than its
    `expected_within`, and no run of it has succeeded since. Several beats at once tell of it once.
    """
    with database.read() as tx:
        known = [(each, lateness.succeeded_at(tx, each)) for each in lateness.expecting(tx)]
    for each, at in known:
        if at is not None and at != each.succeeded_at:
            # One by one: whoever locks several sources does it in another order.
            with database.statement() as tx:
                lateness.note_success(tx, each.id, to_micros(at))
    late = [each for each, at in known if _overdue(each, at) is not None]
    return [each.manifest.slug for each in late if _tell(database, each.id, settings)]


def _tell(database: Database, source_id: str, settings: Settings) -> bool:
    """Look again under the row's lock: it may have succeeded, been told of or been paused meanwhile."""
    with database.transaction() as tx:
        schedule = lateness.lock_expecting(tx, source_id)
        if schedule is None:
            return False
        succeeded = lateness.succeeded_at(tx, schedule)
        expected = _overdue(schedule, succeeded)
        if expected is None:
            return False
        lateness.note_notice(tx, source_id)
        return notify_late(
            tx,
            source_id,
            schedule.project_id,
            schedule.manifest,
            expected.at,
            expected.deadline,
            succeeded,
            settings,
        )


def _overdue(schedule: Expecting, succeeded: datetime | None) -> _Expected | None:
    """What it has missed and nobody was told of; None: it is in time, or expects nothing any more."""
    within = schedule.manifest.options.get("expected_within")
    since = max(schedule.armed_at, succeeded) if succeeded is not None else schedule.armed_at
    if not within or (schedule.notified_at is not None and schedule.notified_at >= since):
        return None
    try:
        timing = Timing.from_options(schedule.manifest.options)
    except ValueError:
        return None  # of another version, which knows times that this one does not: its tick is recorded as an error
    at = timing.next_after(since)
    if at is None:
        return None
    deadline = timing.due(schedule.id, at) + timedelta(seconds=within)
    return _Expected(at, deadline) if schedule.now > deadline else None
