"""What has become due, and what waits although it could run."""

from __future__ import annotations

from typing import Final

from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_DUE: Final = Sql("""
select id from runs where status in ('sleeping', 'waiting_on_hook') and due_at is not null and due_at <= {now}
order by due_at limit :limit {for_update} {skip_locked}
""")
_NEXT_DUE: Final = Sql("""
select min(due_at) from (
    select due_at from runs where status in ('queued', 'sleeping', 'waiting_on_hook')
    union all select due_at from rate_limits) waiting
where due_at > {now} and due_at <= coalesce(:until, due_at)
""")
_WAITING: Final = Sql("""
select project_id, queue from (
    select distinct project_id, queue from runs
    where status = 'queued' and parked_on is null and due_at <= {now} - :older_than_us
    union
    select project_id, queue from ticks where status = 'queued' and due_at <= {now} - :older_than_us) waiting
where not exists (
    select 1 from queues where queues.project_id = waiting.project_id and queues.name = waiting.queue
    and queues.paused_at is not null)
""")


def due_runs(tx: Tx, limit: int) -> list[str]:
    """Runs at rest whose time has come, locked for this transaction; those that somebody else wakes are passed over."""
    return [row.id for row in tx.rows(_DUE, {"limit": limit})]


def next_due(tx: Tx, until: int | None) -> int | None:
    """When the next run, or the next place in a rate limit, comes due, in microseconds since 1970.

    None where none does, or none until then.
    """
    due: int | None = tx.value(_NEXT_DUE, {"until": until})
    return due


def waiting_queues(tx: Tx, older_than_us: int) -> set[tuple[str, str]]:
    """(project id, queue) of runs and ticks that have been due for so long and that nobody claimed."""
    return {(row.project_id, row.queue) for row in tx.rows(_WAITING, {"older_than_us": older_than_us})}
