"""Record a sleep: when it begins, and when it is over; what is due is decided by the database's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain.lease import Lease
from keystroke.domain.step import Step, StepStatus
from keystroke.errors import LeaseLost
from keystroke.operations.record_step import texts_of
from keystroke.settings import Settings
from keystroke.store import Database, runs, steps

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
        if runs.lock(tx, lease.run_id, lease.attempt) is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        left = _left(steps.begin(tx, lease.run_id, lease.attempt, step, texts["input"], delay))
        if left == timedelta(0) and steps.end_sleep(tx, lease.run_id, lease.attempt, step.identity):
            left = None
        crash_point("wait-recording")
    crash_point("wait-recorded")
    return left


def end_sleep(database: Database, lease: Lease, step: Step) -> timedelta | None:
    """Record that a sleep on record is over, if it is: None; otherwise how long is left of it. Raises LeaseLost."""
    crash_point("wait-ending")
    with database.held() as tx:
        ended = steps.end_sleep(tx, lease.run_id, lease.attempt, step.identity)
    crash_point("wait-ended")
    return None if ended else _look(database, lease, step)


def _look(database: Database, lease: Lease, step: Step) -> timedelta | None:
    """Why a sleep could not be ended: it is not over yet, has been ended before, or the attempt has lost the run."""
    with database.read() as tx:
        left = steps.left_of(tx, lease.run_id, lease.attempt, step.identity)
    if left is None:
        raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
    return _left(left)


def _left(left: steps.Left) -> timedelta | None:
    """None where it is on record as over; nothing left of one that is over and not yet on record so."""
    if left.status is StepStatus.SUCCESS:
        return None
    assert left.left_us is not None, "a sleep has a time"
    return timedelta(microseconds=max(left.left_us, 0))
