"""Make the ticks that workers execute: of polls whose time has come, and of those that somebody fires by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor
from keystroke.domain.failure import Failure
from keystroke.domain.schedule import Timing
from keystroke.domain.source import Outcome
from keystroke.domain.trigger_event import INVOKED
from keystroke.errors import TickUnderWay, TriggerRetired
from keystroke.store import Database, Tx, polls, sources
from keystroke.store.polls import NewTick
from keystroke.store.sources import Source

#: Polls that are looked after in one transaction.
_BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class QueuedTick:
    """A tick that a worker is to execute: wake one of this project and queue once it is committed."""

    tick_id: str
    project_id: str
    queue: str


@dataclass(frozen=True, slots=True)
class DueTicks:
    """The ticks that were made, and whether there may be `more` to make."""

    queued: list[QueuedTick]
    more: bool


def queue_due_ticks(database: Database, limit: int = _BATCH) -> DueTicks:
    """Make a tick of each poll that is due, at most of `limit` polls; the caller wakes the queues of those that were queued.

    The tick and the poll's next time are one transaction, so any number may do this at once. However long nobody did, a
    poll has one tick for it. Where the one before has not ended, it is on record as `skipped_overlap`, and none is queued.
    """
    with database.single_read() as tx:
        if not polls.any_due(tx):
            return DueTicks([], more=False)
    with database.transaction() as tx:
        groups = [group for each in polls.due(tx, limit) if (group := polls.try_group(tx, each))]
        queued = [each for group in groups if (each := _fire(tx, group)) is not None]
        if groups:
            crash_point("tick-queueing")
    if groups:
        crash_point("tick-queued")
    return DueTicks(queued, more=len(groups) == limit)


def queue_tick(
    tx: Tx, source: Source, origin: str | None, *, dry_run: bool, actor: Actor | None
) -> QueuedTick:
    """A tick of a poll that somebody fires by hand, disabled or paused as it may be; a part of the caller's transaction.

    `origin` None is `invoke:<tick id>`. It is for this source alone, though it shares its group's ticks. Raises TickUnderWay,
    TriggerRetired.
    """
    source = sources.lock_source(tx, source.id)
    if source.retired_at is not None:
        raise TriggerRetired(trigger=source.slug)
    before, tick_id = polls.unfinished(tx, source.id), polls.new_tick_id()
    if before is not None:
        raise TickUnderWay(tick=before, trigger=source.slug)
    tick = NewTick(
        source,
        origin=origin or f"{INVOKED}{tick_id}",
        previous_at=source.last_at,
        dry_run=dry_run,
        actor=actor,
    )
    polls.insert_tick(tx, tick, tick_id)
    return _queued(tick_id, source)


def _fire(tx: Tx, group: list[Source]) -> QueuedTick | None:
    """One tick for a poll, or for a group, made for its first; the next time moves on for all of them."""
    members = [each for each in group if each.active]
    scheduled = min((each.next_at for each in members if _is_due(each) and each.next_at), default=None)
    if scheduled is None:
        return None
    leader = members[0]
    try:
        timing = Timing.from_options(leader.manifest.options)
    except ValueError as problem:
        # It was published by another version, which knows times that this one does not.
        _record(tx, members, scheduled, "error", error=str(problem), next_at=None)
        return None
    next_at = timing.next_after(leader.now)
    _, missed = timing.newest(scheduled, leader.now, 0)
    if polls.unfinished(tx, leader.id) is not None:
        _record(tx, members, scheduled, "skipped_overlap", missed=missed, next_at=next_at)
        return None
    for each in members:
        polls.set_clock(tx, each.id, next_at, scheduled)
    tick_id = polls.new_tick_id()
    tick = NewTick(leader, scheduled_at=scheduled, previous_at=leader.last_at, missed=missed)
    return _queued(tick_id, leader) if polls.insert_tick(tx, tick, tick_id) else None


def _is_due(source: Source) -> bool:
    return source.due_at is not None and source.due_at <= source.now


def _record(
    tx: Tx,
    members: list[Source],
    scheduled: datetime,
    outcome: Outcome,
    *,
    next_at: datetime | None,
    missed: int = 0,
    error: str | None = None,
) -> None:
    """A time that nobody looks at, on record for each of them."""
    text = None if error is None else json.dumps(Failure("ValueError", error).as_json())
    for each in members:
        polls.set_clock(tx, each.id, next_at, scheduled)
        tick = NewTick(
            each, scheduled_at=scheduled, previous_at=each.last_at, missed=missed, outcome=outcome, error=text
        )
        polls.insert_tick(tx, tick, polls.new_tick_id())


def _queued(tick_id: str, source: Source) -> QueuedTick:
    return QueuedTick(tick_id, source.project_id, source.manifest.options.get("queue") or "default")
