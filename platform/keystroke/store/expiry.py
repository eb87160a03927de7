"""Deleting what has expired. Spans and logs have no foreign key: on SQLite they go with their run, else with their day."""

from __future__ import annotations

from typing import Final

from keystroke.store.database import Tx
from keystroke.store.sql import Sql

# A child stays as long as its parent may still ask how it ended.
_EXPIRED: Final = Sql("""
select id from runs where expires_at <= {now} and not exists (
    select 1 from runs parent where parent.id = runs.parent_run_id
    and parent.status in ('queued', 'running', 'sleeping', 'waiting_on_hook'))
order by expires_at limit :limit {for_update} {skip_locked}
""")
_DELETE_SPANS: Final = Sql("delete from spans where run_id {in:run_ids}")
_DELETE_LOGS: Final = Sql("delete from logs where run_id {in:run_ids}")
_DELETE_RUNS: Final = Sql("delete from runs where id {in:run_ids}")
_NOW: Final = Sql("select {now}")


def delete_runs(tx: Tx, limit: int) -> int:
    """Delete expired runs, at most `limit`; how many there were."""
    run_ids = [row.id for row in tx.rows(_EXPIRED, {"limit": limit})]
    if run_ids:
        for sql in (_DELETE_SPANS, _DELETE_LOGS, _DELETE_RUNS):
            tx.run(sql, {"run_ids": run_ids})
    return len(run_ids)


def now(tx: Tx) -> int:
    """The database's time."""
    return int(tx.value(_NOW))
