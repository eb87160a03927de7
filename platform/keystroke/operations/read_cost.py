"""Read what a run has cost."""

from __future__ import annotations

from keystroke.domain.usage import Cost
from keystroke.store import Database, steps


def read_cost(database: Database, run_id: str) -> Cost:
    """The sum of the line items that all of its attempts recorded."""
    with database.read() as tx:
        return steps.cost_of(tx, run_id)
