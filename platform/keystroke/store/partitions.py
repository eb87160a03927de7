"""The daily partitions of spans and logs on PostgreSQL; SQLite has none and deletes row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from keystroke.clock import from_micros, to_micros
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_TABLES: Final = ("spans", "logs")
_DAYS_AHEAD: Final = 7
_NOW: Final = Sql("select {now}")
_PARTITIONS: Final = Sql(
    "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
    "join pg_class p on p.oid = i.inhparent where p.relname = :parent"
)


def ensure_partitions(tx: Tx) -> None:
    """Make the partitions of today and the coming days; any number of processes may call it at once.

    Rows that no day takes (a host was off for weeks) go to the default partition.
    """
    if tx.backend == "sqlite":
        return
    tx.run(Sql("select pg_advisory_xact_lock(1801812340)"))
    today = from_micros(tx.value(_NOW)).replace(hour=0, minute=0, second=0, microsecond=0)
    for table in _TABLES:
        tx.run(Sql(f"create table if not exists {table}_other partition of {table} default"))
        for ahead in range(_DAYS_AHEAD):
            _make_day(tx, table, today + timedelta(days=ahead))


def drop_old_partitions(tx: Tx, older_than: datetime) -> list[str]:
    """Drop the days that ended before a time; the names of what was dropped."""
    dropped = []
    for table in _TABLES:
        for (name,) in tx.rows(_PARTITIONS, {"parent": table}) if tx.backend == "postgresql" else ():
            day = name.removeprefix(f"{table}_")
            if (
                day.isdigit()
                and datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1) < older_than
            ):
                tx.run(Sql(f"drop table {name}"))
                dropped.append(name)
    return dropped


def _make_day(tx: Tx, table: str, day: datetime) -> None:
    first, last = to_micros(day), to_micros(day + timedelta(days=1))
    tx.run(
        Sql(
            f"create table if not exists {table}_{day:%Y%m%d} partition of {table} "
            f"for values from ({first}) to ({last})"
        )
    )
