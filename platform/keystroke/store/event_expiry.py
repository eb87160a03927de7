"""Deleting what triggers leave behind: old deliveries and ticks, ended backfills, keys and items that need not be known longer.

A delivery or a tick stays while a run that it started has not ended, however old it is.
"""

from __future__ import annotations

from typing import Final

from keystroke import ids
from keystroke.store.database import Tx
from keystroke.store.expiry import now
from keystroke.store.sql import Sql

_STARTED_ACTIVE: Final = """exists (
    select 1 from runs where runs.id in {each:run_ids}
    and runs.status in ('queued', 'running', 'sleeping', 'waiting_on_hook'))"""
_OLD_TICKS: Final = Sql(f"""
select id from ticks where finished_at < {{now}} - :age_us and status = 'ended'
    and not {_STARTED_ACTIVE.replace("run_ids", "ticks.run_ids")}
order by finished_at limit :limit {{for_update}} {{skip_locked}}
""")
# Ids sort by the time of their making: `before` lies behind all that may be old enough, so nothing newer is looked at.
_OLD_DELIVERIES: Final = Sql(f"""
select id from deliveries where id < :before and received_at < {{now}} - :age_us
    and not {_STARTED_ACTIVE.replace("run_ids", "deliveries.run_ids")}
order by id limit :limit {{for_update}} {{skip_locked}}
""")
_DELETE_TICKS: Final = Sql("delete from ticks where id {in:ids}")
_DELETE_SPANS: Final = Sql("delete from spans where run_id {in:ids}")
_DELETE_LOGS: Final = Sql("delete from logs where run_id {in:ids}")
_DELETE_DELIVERIES: Final = Sql("delete from deliveries where id {in:ids}")
_DELETE_BACKFILLS: Final = Sql("""
delete from backfills where id in (
    select id from backfills where finished_at < {now} - :age_us order by finished_at limit :limit)
""")
# What somebody else has locked is being taken anew, and old no longer.
_DELETE_KEYS: Final = Sql("""
delete from delivery_keys where (project_id, endpoint, key) in (
    select project_id, endpoint, key from delivery_keys where expires_at <= {now} order by expires_at limit :limit
    {for_update} {skip_locked})
""")
_DELETE_SEEN: Final = Sql("""
delete from seen_items where (source_id, key) in (
    select source_id, key from seen_items where expires_at <= {now} order by expires_at limit :limit
    {for_update} {skip_locked})
""")
_MICROS: Final = 1_000
#: By so much the clocks of those who make ids may differ from the database's (milliseconds).
_CLOCKS_DIFFER: Final = 3_600_000
#: Bits of a UUIDv7 behind its milliseconds.
_BEHIND_TIME: Final = 80


def delete_ticks(tx: Tx, age_us: int, limit: int) -> int:
    """Delete ticks that ended so long ago (microseconds) with their traces, at most `limit`; how many."""
    found = [row.id for row in tx.rows(_OLD_TICKS, {"age_us": age_us, "limit": limit})]
    for sql in (_DELETE_SPANS, _DELETE_LOGS, _DELETE_TICKS) if found else ():
        tx.run(sql, {"ids": found})
    return len(found)


def delete_deliveries(tx: Tx, age_us: int, limit: int) -> int:
    """Delete deliveries that were received so long ago (microseconds) with their bodies, at most `limit`; how many."""
    milliseconds = max((now(tx) - age_us) // _MICROS + _CLOCKS_DIFFER, 0)
    before = f"dlv_{ids.encode(milliseconds << _BEHIND_TIME)}"
    wanted = {"before": before, "age_us": age_us, "limit": limit}
    found = [row.id for row in tx.rows(_OLD_DELIVERIES, wanted)]
    if found:
        tx.run(_DELETE_DELIVERIES, {"ids": found})
    return len(found)


def delete_backfills(tx: Tx, age_us: int, limit: int) -> int:
    """Delete backfills that ended so long ago (microseconds), at most `limit`; how many."""
    return tx.run(_DELETE_BACKFILLS, {"age_us": age_us, "limit": limit})


def delete_expired_keys(tx: Tx, limit: int) -> int:
    """Delete keys of deliveries and items of polls whose time is over, at most `limit` of each; how many."""
    return tx.run(_DELETE_KEYS, {"limit": limit}) + tx.run(_DELETE_SEEN, {"limit": limit})
