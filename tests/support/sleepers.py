"""Many sleeping runs at once: copies of one that a worker has put to sleep, with everything that is on record of it."""

from __future__ import annotations

from keystroke.store import Database, Tx
from keystroke.store.sql import Sql

#: What belongs to a run, beside its row; the numbers that the database gives (`id`) are given anew.
_BELONGINGS = ("run_payloads", "run_tags", "transitions", "steps", "spans", "logs")
#: All sleep until about the same time, a microsecond after each other.
_OWN = {
    "id": "source.id || '_' || number", "run_id": "source.run_id || '_' || number",
    "root_run_id": "source.id || '_' || number", "due_at": "source.due_at + number",
}  # fmt: skip
_CHUNK = 10_000


def multiply(database: Database, run_id: str, count: int) -> list[str]:
    """So many copies of a sleeping run; their ids."""
    for begin in range(0, count, _CHUNK):
        numbers: dict[str, str | int] = {"id": run_id, "first": begin + 1, "last": min(begin + _CHUNK, count)}
        with database.transaction() as tx:
            for table in ("runs", *_BELONGINGS):
                _copy(tx, table, numbers)
    return [f"{run_id}_{number}" for number in range(1, count + 1)]


def _copy(tx: Tx, table: str, numbers: dict[str, str | int]) -> None:
    of_run = "id" if table == "runs" else "run_id"
    row = tx.row(Sql(f"select * from {table} where {of_run} = :id limit 1"), numbers)
    if row is None:
        return
    columns = [str(name) for name in row._mapping if table == "runs" or name != "id"]
    values = ", ".join(_OWN.get(name, f"source.{name}") for name in columns)
    copy = Sql(f"""
        with recursive numbers (number) as (
            select cast(:first as integer) union all select number + 1 from numbers where number < :last)
        insert into {table} ({", ".join(columns)}) select {values} from {table} source, numbers where source.{of_run} = :id
    """)
    tx.run(copy, numbers)
