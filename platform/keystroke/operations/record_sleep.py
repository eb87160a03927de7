"""Record a sleep: when it begins, and when it is over; what is due is decided by the database's clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain.lease import Lease
from keystroke.domain.step import Step, StepStatus
from keystroke.errors import LeaseLost
from keystroke.operations.record_step import texts_of
from keystroke.settings import Settings
from keystroke.store import Database, Tx, runs, steps

_MICROSECOND: Final = timedelta(microseconds=1)


def begin_sleep(
    database: Database, lease: Lease, step: Step, duration: timedelta | None, settings: Settings
) -> timedelta | None:
    """Record that a sleep has begun, until `step.due_at` or for `duration` from now; how long is left of it.

    None: it is over already, and recorded so. A sleep that is on record keeps its time. Raises LeaseLost.
    """
    texts = texts_of(step, settings.payload_limit)
    delay = None if duration is None else duration // _MICROSECOND
    with database.transaction() as tx:
        _hold(tx, lease)
        left = steps.begin(tx, lease.run_id, lease.attempt, step, texts["input"], delay)
        ended = _end_if_over(tx, lease, step, left, settings)
        crash_point("wait-recording")
    crash_point("wait-recorded")
    return ended


def end_sleep(database: Database, lease: Lease, step: Step, settings: Settings) -> timedelta | None:
    """Record that a sleep on record is over, if it is: None; otherwise how long is left of it. Raises LeaseLost."""
    with database.transaction() as tx:
        _hold(tx, lease)
        left = steps.left_of(tx, lease.run_id, step.identity)
        assert left is not None, "only sleeps on record are ended"
        ended = _end_if_over(tx, lease, step, left, settings)
        crash_point("wait-ending")
    crash_point("wait-ended")
    return ended


def _hold(tx: Tx, lease: Lease) -> None:
    if runs.lock(tx, lease.run_id, lease.attempt) is None:
        raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)


def _end_if_over(tx: Tx, lease: Lease, step: Step, left: steps.Left, settings: Settings) -> timedelta | None:
    if left.status is StepStatus.SUCCESS:
        return None
    if left.left_us is not None and left.left_us > 0:
        return timedelta(microseconds=left.left_us)
    assert left.due_at is not None, "a sleep has a time"
    now = left.due_at - timedelta(microseconds=left.left_us or 0)
    over = replace(step, status=StepStatus.SUCCESS, finished_at=max(now, step.started_at), due_at=left.due_at)
    steps.record(tx, lease.run_id, lease.attempt, over, texts_of(over, settings.payload_limit))
    return None
