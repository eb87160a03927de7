"""Unpark runs: those whose rate limit allows it by now, those before which the run of a schedule has ended, and those whose key
has room although nobody was told so.
"""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.store import Database, limits, rates, schedules
from keystroke.store.limits import CONCURRENCY, RATE, Unparked

Queues = set[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a round through all parked runs has come: (project id, what they are parked on)."""

    project_id: str = ""
    parked_on: str = ""


def unpark_rates(database: Database, most: int = 1000) -> Queues:
    """Unpark the runs that may begin by now, of at most so many limits; the (project id, queue) pairs to wake.

    A limit whose lock a claim has is left to the next round.
    """
    with database.read() as tx:
        due = rates.due_keys(tx, most)
    unparked: list[Unparked] = []
    for project_id, key in due:
        with database.transaction() as tx:
            if limits.try_lock(tx, project_id, RATE + key):
                unparked += rates.unpark_allowed(tx, project_id, key)
    return _queues(unparked)


def unpark_forgotten(database: Database, after: Place, most: int = 1000) -> tuple[Queues, Place]:
    """Unpark runs where there is room, looking at so many keys after a place; the queues to wake, and where to go on.

    Whoever frees a place gives it away himself; this finds what no transaction could see, as where a queue was resumed.
    """
    found: list[tuple[str, str, int]] = []
    with database.read() as tx:
        for project_id in limits.project_ids(tx, after.project_id):
            since = after.parked_on if project_id == after.project_id else ""
            names = limits.parked_names(tx, project_id, since, most - len(found))
            found += [(project_id, name, room) for name, room in names]
            if len(found) >= most:
                break
    unparked = [
        each for project_id, name, room in found for each in _unpark(database, project_id, name, room)
    ]
    return _queues(unparked), Place(*found[-1][:2]) if len(found) >= most else Place()


def unpark_overlapping(database: Database, most: int = 1000) -> Queues:
    """Let scheduled runs go on that waited for the one before them, at most so many; the queues to wake."""
    with database.single_read() as tx:
        if not schedules.any_waiting(tx):
            return set()
    with database.transaction() as tx:
        return schedules.unpark(tx, most)


def _unpark(database: Database, project_id: str, name: str, room: int) -> list[Unparked]:
    if name.startswith(RATE):
        with database.transaction() as tx:
            rates.remember(tx, project_id, name.removeprefix(RATE))
        return []
    if room <= 0 or not name.startswith(CONCURRENCY):
        return []
    key = name.removeprefix(CONCURRENCY)
    with database.transaction() as tx:
        if not limits.try_lock(tx, project_id, name):
            return []
        room = limits.count_room(tx, project_id, key)
        found = (limits.unpark(tx, project_id, key, startable=True) for _ in range(room))
        return [each for each in found if each is not None]


def _queues(unparked: list[Unparked]) -> Queues:
    return {(each.project_id, each.queue) for each in unparked}
