"""Recovery: runs and ticks whose child or worker died go back to the queue, within their recovery budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain import states
from keystroke.domain.actor import SYSTEM
from keystroke.domain.bounds import out_of_time
from keystroke.domain.failure import Failure
from keystroke.domain.payload import encode_payload
from keystroke.domain.states import Reason, Status
from keystroke.domain.trigger_event import TICK_MARK
from keystroke.operations.moving import default_retention, move_run
from keystroke.operations.notify import notify_run_failed
from keystroke.operations.on_failure import start_on_failure
from keystroke.operations.recovered_tick import end_gone, recover_tick
from keystroke.settings import Settings
from keystroke.store import Database, Tx, cancels, fleet, runs
from keystroke.store.runs import Changes, Moved

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run, or a tick, that lost its attempt, and where it went; `queues` are to be woken, each a (project id, queue)."""

    run_id: str
    status: Status
    queues: tuple[tuple[str, str], ...]


def recover_attempt(
    database: Database,
    run_id: str,
    attempt: int,
    settings: Settings,
    worked: timedelta = timedelta(),
) -> Recovered | None:
    """Take a run, or a tick, from an attempt that died; None when the attempt no longer had it.

    `worked` is how long the attempt went on, where that is known: a run whose time is over by it ends.
    """
    if run_id.startswith(TICK_MARK):
        return _recover_tick(database, run_id, attempt, settings, worked)
    with database.transaction() as tx:
        recovered = _recover(tx, run_id, attempt, settings, worked)
        if recovered is not None:
            crash_point("run-recovering")
    if recovered is not None:
        crash_point("run-recovered")
    return recovered


def _recover_tick(
    database: Database, tick_id: str, attempt: int, settings: Settings, worked: timedelta
) -> Recovered | None:
    with database.transaction() as tx:
        recorded = recover_tick(tx, tick_id, attempt, settings, worked)
        if recorded is not None:
            crash_point("tick-recovering")
    if recorded is None or recorded.status is None:
        return None
    crash_point("tick-recovered")
    return Recovered(tick_id, recorded.status, recorded.woken)


def recover_dead_workers(database: Database, settings: Settings) -> list[Recovered]:
    """Declare silent workers dead and recover what they executed, each run and tick in a transaction of its own.

    Ticks of polls that are in the code no longer, which no worker would claim, end here, too.

    Call it only after one's own rounds have succeeded without a gap for `dead_after`: when the database was away, everybody
    was silent.
    """
    with database.transaction() as tx:
        fleet.declare_dead(tx, round(settings.dead_after * 1_000_000))
        orphaned = fleet.orphaned(tx)
        end_gone(tx)
    recovered = (recover_attempt(database, run_id, attempt, settings) for run_id, attempt in orphaned)
    return [each for each in recovered if each is not None]


def _recover(tx: Tx, run_id: str, attempt: int, settings: Settings, worked: timedelta) -> Recovered | None:
    """Whoever asked to cancel is served first, then the run's time and the budget of recoveries decide."""
    held = runs.lock(tx, run_id, attempt)
    if held is None:
        return None
    kept = replace(default_retention(settings), active_us=worked // _MICROSECOND)
    lost = replace(kept, recoveries=1)
    if held.cancel_requested:
        canceling = cancels.canceling_of(tx, run_id)
        moved = move_run(
            tx, states.CANCEL, run_id, actor=canceling.actor, attempt=attempt, reason=canceling.reason,
            changes=kept,
        )  # fmt: skip
    elif held.timeout is not None and held.active + worked >= held.timeout:
        moved = _time_out(tx, run_id, attempt, held.active + worked, held.timeout, kept)
    elif held.recoveries < settings.recovery_budget:
        moved = move_run(
            tx, states.RECOVER, run_id, actor=SYSTEM, attempt=attempt, reason=Reason.WORKER_LOST, changes=lost
        )
    else:
        moved = _give_up(tx, run_id, attempt, held.recoveries + 1, lost)
    if moved is None:
        return None
    notify_run_failed(tx, moved, settings)
    return _recovered(start_on_failure(tx, moved, settings))


def _recovered(moved: Moved) -> Recovered:
    own = ((moved.project_id, moved.queue),) if moved.status is Status.QUEUED else ()
    return Recovered(moved.run_id, moved.status, (*own, *moved.woken))


def _time_out(
    tx: Tx, run_id: str, attempt: int, worked: timedelta, timeout: timedelta, kept: Changes
) -> Moved | None:
    """It was killed since it did not let go when its time was over: another attempt would begin anew."""
    error = out_of_time(worked, timeout).as_json()
    changes = replace(kept, error=error, error_text=encode_payload(error, what="error"))
    return move_run(
        tx, states.FAIL, run_id, actor=SYSTEM, attempt=attempt, reason=Reason.TIMEOUT, changes=changes
    )


def _give_up(tx: Tx, run_id: str, attempt: int, losses: int, lost: Changes) -> Moved | None:
    message = (
        f"{losses} attempts of this run were lost with their worker. Something in it kills the process that runs it: look for "
        "exhausted memory, a crash in native code, or os._exit."
    )
    error = Failure("WorkerLost", message, reason=Reason.WORKER_LOST).as_json()
    changes = replace(lost, error=error, error_text=encode_payload(error, what="error"))
    return move_run(
        tx, states.GIVE_UP, run_id, actor=SYSTEM, attempt=attempt, reason=Reason.WORKER_LOST, changes=changes
    )
