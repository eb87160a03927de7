"""The end of an attempt: one place turns its outcome into rows, and claims the next run along with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain import states
from keystroke.domain.actor import SYSTEM
from keystroke.domain.lease import AnyLease, Claimant, Lease
from keystroke.domain.outcome import (
    NO_RECORDS,
    Admitting,
    Canceled,
    Completed,
    Failed,
    HandedBack,
    LastRecords,
    Outcome,
    Suspended,
)
from keystroke.domain.payload import encode_payload
from keystroke.domain.retry import Backoff
from keystroke.domain.states import Reason, Status, Transition
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.operations.admit_run import Admission
from keystroke.operations.canceling import CancelRequested
from keystroke.operations.claiming import Claimed, claim_next
from keystroke.operations.moving import default_retention, move_run
from keystroke.operations.notify import notify_run_failed
from keystroke.operations.on_failure import start_on_failure
from keystroke.operations.record_step import write_records
from keystroke.operations.record_trace import write_trace
from keystroke.settings import Settings
from keystroke.store import Database, Tx, cancels, runs, waits
from keystroke.store.runs import Changes, Moved
from keystroke.telemetry import announce
from keystroke.telemetry.events import TraceNotWritten

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Finished:
    """How the attempt ended by the record. `won` False: it had lost the run before, and changed nothing.

    An attempt that has recorded its end already, without having been told so, has won. `woken` names the queues, as (project
    id, queue), in which other runs may go on because of this end. `again`: the claim that went along passed over a run whose
    limit somebody else was looking at; claim again. `canceled` are runs that this end has canceled by starting, or admitting,
    others: tell the workers of those that are running.
    """

    won: bool
    status: Status | None
    next: AnyLease | None
    woken: tuple[tuple[str, str], ...] = ()
    again: bool = False
    canceled: tuple[CancelRequested, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ending:
    """The move that an outcome asks for."""

    transition: Transition
    reason: Reason | None
    changes: Changes
    suspended: Suspended | None = None
    admission: Admission | None = None


def finish_attempt(
    database: Database,
    lease: Lease,
    outcome: Outcome,
    active: timedelta,
    settings: Settings,
    claimant: Claimant | None,
    jitter: Callable[[], float] = random.random,
    last: LastRecords = NO_RECORDS,
) -> Finished:
    """Record the outcome, what the attempt did and said last, and with a claimant claim its next run: in one transaction.

    A run that somebody asked to cancel ends `canceled`, whatever its code came to. The claim never costs the finish:
    should the two fail together, the finish is tried again alone by the caller (`claimant` None).
    """
    ending = _ending(lease, outcome, active, settings, jitter)
    try:
        finished = _finish(database, lease, ending, settings, claimant, last)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        if not last.has_trace:
            raise
        # None of what is shown is worth a run's end.
        announce(TraceNotWritten(run_id=lease.run_id, why=f"{type(error).__name__}: {error}"))
        finished = _finish(database, lease, ending, settings, claimant, LastRecords(last.steps))
    crash_point("attempt-ended")
    return finished


def _finish(
    database: Database,
    lease: Lease,
    ending: _Ending,
    settings: Settings,
    claimant: Claimant | None,
    last: LastRecords,
) -> Finished:
    try:
        with database.transaction() as tx:
            if ending.admission is not None:
                ending.admission.reserve(tx, lease.project_id)
            if ending.suspended is not None:
                waits.come_to_rest(tx, lease.run_id, ending.suspended.children)
            _write_last(tx, lease, last, settings)
            moved, canceled = _end(tx, lease, ending, settings)
            if moved is not None:
                moved = start_on_failure(tx, moved, settings)
                notify_run_failed(tx, moved, settings)
            status = moved.status if moved else _recorded_before(tx, lease, ending)
            rests = moved is not None and not moved.status.terminal
            claimed = Claimed(None) if claimant is None else claim_next(tx, claimant)
            crash_point("attempt-ending")
            if rests:
                crash_point("run-suspending")
        if rests:
            crash_point("run-suspended")
        woken = _left_to_wake(moved, claimed) if moved else ()
        return Finished(status is not None, status, claimed.lease, woken, claimed.again, canceled)
    except LeaseLost:
        # The last steps found the run in other hands, or the end has been committed while its answer was lost.
        with database.read() as tx:
            before = _recorded_before(tx, lease, ending)
        return Finished(before is not None, before, None, again=claimant is not None)


def _write_last(tx: Tx, lease: Lease, last: LastRecords, settings: Settings) -> None:
    """Before the end, whose number in the run's events comes after theirs. Raises LeaseLost."""
    if last.steps:
        write_records(tx, lease, last.steps)
    if last.has_trace:
        write_trace(tx, lease, last.spans, last.lines, settings)


def _left_to_wake(moved: Moved, claimed: Claimed) -> tuple[tuple[str, str], ...]:
    """The queues to wake; not for the run that was unparked last, if it is the very one that was claimed."""
    if claimed.lease is None or claimed.lease.id != moved.unparked:
        return moved.woken
    return moved.woken[:-1]


def _recorded_before(tx: Tx, lease: Lease, ending: _Ending) -> Status | None:
    """The end that was committed while its answer was lost."""
    return runs.status_after(
        tx, lease.run_id, lease.attempt, (ending.transition, states.WAIT_OVER, states.CANCEL)
    )


def _end(
    tx: Tx, lease: Lease, ending: _Ending, settings: Settings
) -> tuple[Moved | None, tuple[CancelRequested, ...]]:
    """The move, None where the attempt has lost the run, and the runs that are canceled for it."""
    if ending.suspended is not None:
        ending = _unless_over(tx, lease, ending, ending.suspended)
    if ending.transition is not states.CANCEL:
        moved = move_run(
            tx, ending.transition, lease.run_id, actor=SYSTEM, attempt=lease.attempt, reason=ending.reason,
            changes=ending.changes, unless_cancel_requested=True,
        )  # fmt: skip
        if moved is not None:
            return (moved, ()) if ending.admission is None else ending.admission.admit(tx, moved, settings)
    # Either the attempt has lost the run, or a cancel was requested: then that is how it ends.
    canceling = cancels.canceling_of(tx, lease.run_id)
    changes = replace(ending.changes, failures=0, error=None, error_text=None, output=None)
    moved = move_run(
        tx,
        states.CANCEL,
        lease.run_id,
        actor=canceling.actor,
        attempt=lease.attempt,
        reason=canceling.reason,
        changes=changes,
    )
    return moved, ()


def _unless_over(tx: Tx, lease: Lease, ending: _Ending, suspended: Suspended) -> _Ending:
    """What is waited for may have come while the attempt let go: whoever brought it found a running run, and woke nobody.

    The run's row is locked first; who comes later finds it at rest. (Ends of children met it before: `waits.come_to_rest`.)
    """
    if runs.lock(tx, lease.run_id, lease.attempt) is None:
        return ending
    over = ending.changes.delay_us is not None and ending.changes.delay_us <= 0
    if over or waits.is_over(tx, suspended.hooks, suspended.children):
        return _Ending(states.WAIT_OVER, None, replace(ending.changes, delay_us=0))
    if suspended.hooks or suspended.children:
        waits.expect(tx, lease.run_id, suspended.hooks, suspended.children)
    return ending


def _ending(
    lease: Lease, outcome: Outcome, active: timedelta, settings: Settings, jitter: Callable[[], float]
) -> _Ending:
    changes = replace(default_retention(settings), active_us=active // _MICROSECOND)
    match outcome:
        case Completed(output=output):
            text = encode_payload(output, what="output", limit=settings.payload_limit)
            return _Ending(states.COMPLETE, None, replace(changes, output=text))
        case Failed():
            return _failing(lease, outcome, changes, jitter)
        case Suspended(reason=reason, delay=delay):
            rest = None if delay is None else max(delay // _MICROSECOND, 0)
            transition = states.AWAIT_HOOK if outcome.hooks else states.SLEEP
            return _Ending(transition, reason, replace(changes, delay_us=rest), outcome)
        case HandedBack():
            return _Ending(states.HAND_BACK, Reason.HANDED_BACK, changes)
        case Admitting(input=value, limits=limits):
            text = encode_payload(value, what="input", limit=settings.payload_limit)
            return _Ending(states.ADMIT, None, changes, admission=Admission(text, limits))
        case Canceled():
            return _Ending(states.CANCEL, Reason.CANCELED_BY_USER, changes)


def _failing(lease: Lease, outcome: Failed, changes: Changes, jitter: Callable[[], float]) -> _Ending:
    """Another attempt after a pause while `max_attempts` allows it, else the end."""
    changes = replace(changes, failures=1)
    failures = lease.failures + 1
    if outcome.counts and failures < lease.max_attempts:
        pause = Backoff(**(lease.retry or {})).pause(failures, jitter())
        return _Ending(states.SLEEP, Reason.RETRY_BACKOFF, replace(changes, delay_us=pause // _MICROSECOND))
    error = replace(outcome.failure, reason=outcome.reason).as_json()
    text = encode_payload(error, what="error")
    return _Ending(states.FAIL, outcome.reason, replace(changes, error=error, error_text=text))
