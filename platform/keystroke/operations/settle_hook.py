"""Settle a hook: the attempt that waits takes the answer, or the timeout, or learns that it has to wait on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from keystroke.crashpoints import crash_point
from keystroke.domain.hook import HookStatus
from keystroke.domain.lease import Lease
from keystroke.domain.step import Step
from keystroke.errors import LeaseLost
from keystroke.operations.record_step import texts_of
from keystroke.settings import Settings
from keystroke.store import Database, hooks, runs, steps


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody answered; `answer` is the JSON value as it was given. The step is not recorded yet: record what it means."""

    answer: Any


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody answered in time: the step is recorded as failed."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The run has to wait, `left` at most; None: for as long as it takes."""

    left: timedelta | None


Settled = Answered | Expired | Unanswered


def settle_hook(database: Database, lease: Lease, expired: Step, settings: Settings) -> Settled:
    """Decide under the run's row lock, where answers meet it too; `expired` is the step's record should the time be over.

    An answer that came in time counts, however late the run takes it. Raises LeaseLost.
    """
    texts = texts_of(expired, settings.payload_limit)
    with database.transaction() as tx:
        if runs.lock(tx, lease.run_id, lease.attempt) is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        state = hooks.state_of(tx, lease.run_id, expired.identity)
        if state.status is HookStatus.ANSWERED:
            return Answered(state.answer)
        if state.status is HookStatus.WAITING and (state.left_us is None or state.left_us > 0):
            left = None if state.left_us is None else timedelta(microseconds=state.left_us)
            return Unanswered(left)
        hooks.expire(tx, lease.run_id, expired.identity)
        steps.record(tx, lease.run_id, lease.attempt, expired, texts)
        crash_point("hook-settling")
    crash_point("hook-settled")
    return Expired()
