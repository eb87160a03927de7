"""Rate limits: one row for each key, and the runs that are parked until their time comes.

The generic cell rate algorithm (ITU-T Recommendation I.371, annex A, virtual scheduling): `arrival_at` is the theoretical arrival
time of the next run, which each run that begins moves on by `interval_us` (the period divided by the limit). A run may begin
when that time is at most `tolerance_us` away: after a quiet time as many at once as the limit says, then one each interval.

A row is read and written under the lock of its name (`limits.try_lock`), so that a claim never waits for it. `due_at` is when the
next parked run may begin; it stands there exactly while somebody may be parked on the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keystroke.store.database import Tx
from keystroke.store.limits import MOST_PARKED, RATE, Unparked
from keystroke.store.sql import Sql

_LATER: Final = "(case when arrival_at > {now} then arrival_at else {now} end)"
_MAY_BEGIN: Final = Sql("""
select 1 where not exists (
    select 1 from rate_limits where project_id = :project_id and key = :key and arrival_at - :tolerance_us > {now})
""")
_BEGIN: Final = Sql("""
insert into rate_limits (project_id, key, arrival_at, interval_us, tolerance_us)
values (:project_id, :key, {now} + :interval_us, :interval_us, :tolerance_us)
on conflict (project_id, key) do update set interval_us = excluded.interval_us, tolerance_us = excluded.tolerance_us,
    arrival_at = case when rate_limits.arrival_at > {now} then rate_limits.arrival_at else {now} end + excluded.interval_us
""")
# Those with a place in line of a full concurrency key would leave it to nobody: they are parked one by one, as candidates.
_PARK: Final = Sql("""
update runs set parked_on = :parked_on where id in (
    select id from runs where project_id = :project_id and rate_key = :key and status = 'queued' and parked_on is null
    and due_at <= {now} and attempt = admitted_after
    and (id = :run_id or concurrency_key is null or (
        select 1 from runs parked where parked.project_id = :project_id and parked.status = 'queued'
        and parked.parked_on = 'concurrency:' || runs.concurrency_key order by priority desc, queued_at limit 1) is null)
    limit :most {for_update} {skip_locked})
""")
_EXPECT: Final = Sql("""
update rate_limits set due_at = arrival_at - tolerance_us where project_id = :project_id and key = :key
""")
_HURRY: Final = Sql("""
update rate_limits set due_at = {now} where project_id = :project_id and key = :key and due_at > {now}
""")
_DUE: Final = Sql("""
select project_id, key from rate_limits where due_at <= {now} order by due_at limit :most
""")
_FORGOTTEN: Final = Sql("""
update rate_limits set due_at = {now} where project_id = :project_id and key = :key and due_at is null
""")
_ALLOWED: Final = Sql("""
select case when arrival_at - tolerance_us > clock.now then 0
    when arrival_at > clock.now then (clock.now - arrival_at + tolerance_us) / interval_us + 1
    else tolerance_us / interval_us + 1 end as allowed
from rate_limits, (select {now} as now) clock
where project_id = :project_id and key = :key and due_at <= clock.now
""")
# What nobody has begun under for long says no more than a row that is not there.
_FORGET: Final = Sql("delete from rate_limits where due_at is null and arrival_at < {now} - :age_us")
_UNPARK: Final = Sql("""
update runs set parked_on = null where id in (
    select id from runs where project_id = :project_id and parked_on = :parked_on and status = 'queued'
    order by priority desc, queued_at limit :most {for_update} {skip_locked})
returning id, project_id, queue
""")
# From now on, or from when the unparked ones will have begun, whatever is later; nobody is expected when nobody is parked.
_NEXT: Final = Sql(f"""
update rate_limits set due_at = case when exists (
        select 1 from runs where runs.project_id = :project_id and parked_on = :parked_on and status = 'queued')
    then {_LATER} + interval_us * cast(:unparked as bigint) - tolerance_us end
where project_id = :project_id and key = :key
""")


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate limit of a project's key: so many at once, then one each interval (microseconds)."""

    project_id: str
    key: str
    interval_us: int
    tolerance_us: int

    @classmethod
    def of(cls, project_id: str, key: str, limit: int, per_us: int) -> Pace:
        """`limit` in `per_us` microseconds."""
        interval = -(-per_us // limit)
        return cls(project_id, key, interval, interval * (limit - 1))

    @property
    def name(self) -> str:
        """The name of its lock, and what runs are parked on."""
        return RATE + self.key


def may_begin(tx: Tx, pace: Pace) -> bool:
    """Whether one more run may begin now; under the lock of the pace's name."""
    return (
        tx.row(
            _MAY_BEGIN,
            {"project_id": pace.project_id, "key": pace.key, "tolerance_us": pace.tolerance_us},
        )
        is not None
    )


def begin(tx: Tx, pace: Pace) -> None:
    """A run begins, which `may_begin` has allowed under the same lock."""
    tx.run(
        _BEGIN,
        {
            "project_id": pace.project_id, "key": pace.key, "interval_us": pace.interval_us,
            "tolerance_us": pace.tolerance_us,
        },
    )  # fmt: skip


def park(tx: Tx, pace: Pace, run_id: str) -> None:
    """Park the run and all others that have not begun and wait for the same; under the lock."""
    names = {"project_id": pace.project_id, "key": pace.key}
    tx.run(_PARK, {**names, "parked_on": pace.name, "run_id": run_id, "most": MOST_PARKED})
    tx.run(_EXPECT, names)


def hurry(tx: Tx, project_id: str, key: str) -> None:
    """Somebody who was to begin does not: the next round looks who may in his place."""
    tx.run(_HURRY, {"project_id": project_id, "key": key})


def remember(tx: Tx, project_id: str, key: str) -> None:
    """Somebody is parked on the key: have the next round look, if none would."""
    tx.run(_FORGOTTEN, {"project_id": project_id, "key": key})


def due_keys(tx: Tx, most: int) -> list[tuple[str, str]]:
    """(project id, key) of limits that allow one of those parked on them to begin."""
    return [(row.project_id, row.key) for row in tx.rows(_DUE, {"most": most})]


def unpark_allowed(tx: Tx, project_id: str, key: str) -> list[Unparked]:
    """Unpark as many as may begin by now, the best first; under the lock."""
    names = {"project_id": project_id, "key": key}
    allowed = tx.value(_ALLOWED, names)
    if allowed is None:
        return []
    parked = {**names, "parked_on": RATE + key}
    rows = tx.rows(_UNPARK, {**parked, "most": max(int(allowed), 0)})
    tx.run(_NEXT, {**parked, "unparked": len(rows)})
    return [Unparked(row.id, row.project_id, row.queue) for row in rows]


def forget_old(tx: Tx, age_us: int) -> int:
    """Delete the rows of keys under which nobody has begun for so long; how many there were."""
    return tx.run(_FORGET, {"age_us": age_us})
