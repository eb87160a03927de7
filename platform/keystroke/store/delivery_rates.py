"""How many deliveries a source takes: the generic cell rate algorithm of `rates`, in one row for each source that has a limit.

Unlike a run, which waits for its turn, a delivery beyond the rate is refused, and its sender told when to come again.
"""

from __future__ import annotations

from typing import Any, Final

from keystroke.store.database import Tx
from keystroke.store.rates import Pace
from keystroke.store.sql import Sql

#: Keys of runs begin with a workflow's slug, which this is no part of.
_MARK: Final = "@"
_TAKE: Final = Sql("""
insert into rate_limits (project_id, key, arrival_at, interval_us, tolerance_us)
values (:project_id, :key, {now} + :interval_us, :interval_us, :tolerance_us)
on conflict (project_id, key) do update set interval_us = excluded.interval_us, tolerance_us = excluded.tolerance_us,
    arrival_at = case when rate_limits.arrival_at > {now} then rate_limits.arrival_at else {now} end + excluded.interval_us
    where rate_limits.arrival_at - excluded.tolerance_us <= {now}
returning 1
""")
_WAIT: Final = Sql("""
select arrival_at - :tolerance_us - {now} from rate_limits where project_id = :project_id and key = :key
""")


def take_turn(tx: Tx, project_id: str, source_id: str, limit: int, per_us: int) -> int | None:
    """Take one of `limit` turns in `per_us` microseconds; None when it is ours, else after how many there is one again.

    Whoever comes beside us waits for the end of our transaction, and with a rollback the turn is given back.
    """
    pace = Pace.of(project_id, _MARK + source_id, limit, per_us)
    row: dict[str, Any] = {
        "project_id": pace.project_id, "key": pace.key, "interval_us": pace.interval_us,
        "tolerance_us": pace.tolerance_us,
    }  # fmt: skip
    if tx.row(_TAKE, row) is not None:
        return None
    return max(int(tx.value(_WAIT, row) or 0), 1)
