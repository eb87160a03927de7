"""Settle children: their ends become the records of the steps that started them, so that later replays read these."""

from __future__ import annotations

from collections.abc import Sequence

from keystroke.crashpoints import crash_point
from keystroke.domain.child import ChildEnd
from keystroke.domain.lease import Lease
from keystroke.domain.step import Step
from keystroke.errors import LeaseLost
from keystroke.operations.record_step import texts_of
from keystroke.settings import Settings
from keystroke.store import Database, children, runs, steps


def read_ends(database: Database, run_ids: Sequence[str]) -> dict[str, ChildEnd]:
    """How those of the children ended that have. An end is final: what is read here stays true."""
    with database.read() as tx:
        return children.ends_of(tx, run_ids)


def settle_children(database: Database, lease: Lease, ended: Sequence[Step], settings: Settings) -> None:
    """Write the final records of steps whose children have ended, all in one transaction. Raises LeaseLost."""
    texts = [texts_of(step, settings.payload_limit) for step in ended]
    with database.transaction() as tx:
        if runs.lock(tx, lease.run_id, lease.attempt) is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        steps.record_all(tx, lease.run_id, lease.attempt, list(zip(ended, texts, strict=True)))
        crash_point("children-settling")
    crash_point("children-settled")
