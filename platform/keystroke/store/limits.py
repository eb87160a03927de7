"""Concurrency keys: the lock of a key, its places, and the runs that are parked on it.

A run that could be claimed, were its key not full, is *parked*: it leaves the index of claims until a place is free. What has to
hold for each key, whenever nobody holds its lock: if a run is parked on it, then the runs of the key that are running, and those
that are queued and not parked, are together at least as many as its limit. So no place is empty while somebody waits for it
and nobody is on his way to it.

- A claim decides under the key's lock. It counts in a statement after the one that took the lock, and so sees all that earlier
  holders have committed; a finish that is not committed counts as running, which errs to the safe side.
- Who finds the key full parks all its queued runs, under the lock.
- Who frees a place (an end, a suspension, a hand-back, a recovery: a running run less; a cancel of a queued run: one less that
  was on its way) has updated that run's row first and takes the lock then, waiting for it. If a claim holds the lock, it has
  counted the old state, and what it parks is committed before the lock is let go: the freeing transaction sees it and unparks
  the best of them. If the freeing transaction has the lock first, the claim does not get it, parks nothing, and looks again.
- Run before key: who holds a key's lock waits for no row. A claim locks rows and keys by trying alone, and unparking passes over
  rows that somebody else has locked (that is a cancel of a parked run, which takes nobody's place).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keystroke.store.database import Tx
from keystroke.store.sql import Sql

CONCURRENCY: Final = "concurrency:"
RATE: Final = "rate:"
#: A statement parks or unparks at most so many, so that none takes long.
MOST_PARKED: Final = 2_000
#: So many of the best parked runs are looked at for one that has room under its own limit.
_PEEKED: Final = 20

_TRY_LOCK: Final = Sql("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_LOCK: Final = Sql("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
# In the words of the index `runs_of_key`: SQLite uses a partial index only where it finds its condition.
ACTIVE: Final = "in ('queued', 'running', 'sleeping', 'waiting_on_hook')"
RUNNING: Final = f"""(select count(*) from runs other where other.project_id = {{project}}
    and other.concurrency_key = {{key}} and other.status = 'running' and other.status {ACTIVE})"""
_NOT_PAUSED: Final = """not exists (
    select 1 from queues where queues.project_id = runs.project_id and queues.name = runs.queue
    and queues.paused_at is not null)"""
# Only those that the running ones leave no room: the limit of a run is that of the code it was started with.
_PARK: Final = Sql(f"""
update runs set parked_on = :parked_on where id in (
    select id from runs where project_id = :project_id and concurrency_key = :key and status = 'queued' and status {ACTIVE}
    and parked_on is null and due_at <= {{now}} and concurrency_limit <= {RUNNING.format(project=":project_id", key=":key")}
    limit :most {{for_update}} {{skip_locked}})
""")
_BEST: Final = f"""
    select id, concurrency_limit, rate_key, attempt, admitted_after, priority, queued_at from runs
    where project_id = :project_id and parked_on = {{name}} and status = 'queued' and {{which}}
    order by priority desc, queued_at limit {_PEEKED}
"""


def _unpark(which: str) -> Sql:
    best = _BEST.format(name=":parked_on", which=which)
    return Sql(f"""
    update runs set parked_on = null where id = (
        select id from runs where status = 'queued' and parked_on = :parked_on and id in (
            select id from ({best}) best
            where concurrency_limit > {RUNNING.format(project=":project_id", key=":key")}
            and (cast(:unless_rate as text) is null or attempt > admitted_after or rate_key is null or rate_key <> :unless_rate))
        order by priority desc, queued_at limit 1 {{for_update}} {{skip_locked}})
    returning id, project_id, queue
    """)


# A run of a paused queue keeps its turn, to be claimed as soon as the queue is resumed; a round looks for others meanwhile.
_UNPARK: Final = _unpark("1 = 1")
_UNPARK_STARTABLE: Final = _unpark(_NOT_PAUSED)
_ON_THE_WAY: Final = f"""(select count(*) from runs where project_id = :project_id and concurrency_key = {{key}}
    and status = 'queued' and status {ACTIVE} and parked_on is null and due_at <= {{{{now}}}} and {_NOT_PAUSED})"""


def _room(name: str, key: str) -> str:
    """How many runs parked on a key could go beside those that run or are on their way, as an expression."""
    running = RUNNING.format(project=":project_id", key=key)
    best = f"(select coalesce(max(concurrency_limit), 0) from ({_BEST.format(name=name, which=_NOT_PAUSED)}) best)"
    return f"{best} - {running} - {_ON_THE_WAY.format(key=key)}"


_ROOM: Final = Sql(f"select {_room(':parked_on', ':key')} as room")
# Loose scan of the index: one probe for each name that somebody is parked on, however many are. The room of what is no
# concurrency key means nothing.
_PARKED: Final = Sql(f"""
with recursive names (number, parked_on) as (
    select 1, min(parked_on) from runs where project_id = :project_id and status = 'queued' and parked_on > :after
    union all
    select number + 1, (select min(parked_on) from runs where project_id = :project_id and status = 'queued'
            and parked_on > names.parked_on)
    from names where names.parked_on is not null and number < :most
)
select parked_on, {_room("names.parked_on", f"substr(names.parked_on, {len(CONCURRENCY) + 1})")} as room
from names where parked_on is not null order by number
""")
_PROJECTS: Final = Sql("select id from projects where id >= :first order by id")


@dataclass(frozen=True, slots=True)
class Unparked:
    """A run that may be claimed again, and where: wake its queue."""

    run_id: str
    project_id: str
    queue: str


def try_lock(tx: Tx, project_id: str, name: str) -> bool:
    """Take a lock by its name (a `parked_on`) until the transaction ends; False when somebody else has it.

    On SQLite the write transaction is every lock.
    """
    return tx.backend == "sqlite" or bool(tx.value(_TRY_LOCK, {"name": f"{project_id}/{name}"}))


def lock(tx: Tx, project_id: str, name: str) -> None:
    """Take a lock by its name until the transaction ends, waiting for it: take no row by waiting afterwards."""
    if tx.backend == "postgresql":
        tx.row(_LOCK, {"name": f"{project_id}/{name}"})


def park(tx: Tx, project_id: str, key: str) -> int:
    """Park the queued runs of a key that is full, under its lock; how many."""
    return tx.run(
        _PARK, {"project_id": project_id, "key": key, "parked_on": CONCURRENCY + key, "most": MOST_PARKED}
    )


def unpark(
    tx: Tx, project_id: str, key: str, unless_rate: str | None = None, *, startable: bool = False
) -> Unparked | None:
    """Unpark the best run parked on a key that has room for it, under its lock; None where there is none.

    `unless_rate` names a rate limit that is used up: runs that it would stop are left where they are; with `startable` those of
    paused queues are, too.
    """
    names = {
        "project_id": project_id,
        "key": key,
        "parked_on": CONCURRENCY + key,
        "unless_rate": unless_rate,
    }
    row = tx.row(_UNPARK_STARTABLE if startable else _UNPARK, names)
    return None if row is None else Unparked(row.id, row.project_id, row.queue)


def count_room(tx: Tx, project_id: str, key: str) -> int:
    """How many runs parked on the key could go beside those that run or are on their way."""
    return int(tx.value(_ROOM, {"project_id": project_id, "key": key, "parked_on": CONCURRENCY + key}))


def parked_names(tx: Tx, project_id: str, after: str, most: int) -> list[tuple[str, int]]:
    """What runs of a project are parked on (the key with its prefix), in order, at most so many after the given one.

    Beside each concurrency key, how many of them have room.
    """
    rows = tx.rows(_PARKED, {"project_id": project_id, "after": after, "most": most})
    return [(row.parked_on, int(row.room)) for row in rows]


def project_ids(tx: Tx, first: str) -> list[str]:
    """The ids of all projects from the given one on, in order."""
    return [row.id for row in tx.rows(_PROJECTS, {"first": first})]
