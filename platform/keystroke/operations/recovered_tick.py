"""How a tick goes on whose attempt died with its process, inside the transaction of its recovery."""

from __future__ import annotations

import json
from datetime import timedelta

from keystroke.domain.bounds import tick_out_of_time
from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Canceled, Failed
from keystroke.domain.states import Reason, Status
from keystroke.domain.tick import TickResult
from keystroke.errors import SourceGone
from keystroke.operations.record_poll import Recorded, record_end
from keystroke.settings import Settings
from keystroke.store import Tx, tick_claims
from keystroke.store.tick_claims import LeasedTick


def recover_tick(
    tx: Tx, tick_id: str, attempt: int, settings: Settings, worked: timedelta
) -> Recorded | None:
    """Give the tick back, or end it; None when the attempt no longer had it.

    Whoever asked to cancel is served first, then the tick's time and the budget of recoveries decide. An end of the tick is
    one that its poll counts, as if its code had failed.
    """
    held = tick_claims.find(tx, tick_id, attempt)
    if held is None:
        return None
    failed = _failure(held, settings, worked)
    if failed is None and tick_claims.requeue(tx, tick_id, attempt, active=worked, lost=True):
        return Recorded(Status.QUEUED, ((held.lease.project_id, held.lease.queue),))
    # Where it could not be given back: somebody has asked to cancel it, or has taken it.
    recorded = record_end(tx, held.lease, TickResult(failed or Canceled(), worked), settings, None)
    return None if recorded.status is None else recorded


def end_gone(tx: Tx) -> None:
    """End the queued ticks of polls that are in the code no longer: no worker would claim them."""
    for tick_id, slug in tick_claims.gone(tx):
        error = SourceGone(source=slug)
        failure = Failure(type(error).__name__, str(error), Reason.USER_ERROR)
        tick_claims.end_queued(tx, tick_id, json.dumps(failure.as_json()))


def _failure(held: LeasedTick, settings: Settings, worked: timedelta) -> Failed | None:
    """Why it is not tried again, if it is not."""
    lease = held.lease
    if lease.active + worked >= lease.timeout:
        return Failed(tick_out_of_time(lease.active + worked, lease.timeout), Reason.TIMEOUT)
    if held.recoveries < settings.recovery_budget:
        return None
    message = (
        f"{held.recoveries + 1} attempts of this tick were lost with their worker. Something in the poll kills the process that "
        "executes it: look for exhausted memory, a crash in native code, or os._exit."
    )
    return Failed(Failure("WorkerLost", message, reason=Reason.WORKER_LOST), Reason.WORKER_LOST)
