"""Canceling a run: the request in the database, then whoever has to hear of it at once."""

from __future__ import annotations

from keystroke.domain.states import Status
from keystroke.operations.api_keys import Principal
from keystroke.operations.cancel_children import cancel_children
from keystroke.operations.cancel_run import CancelRequested, cancel_run
from keystroke_api.services import services


def cancel(caller: Principal, run_id: str) -> CancelRequested:
    """Cancel, and the run's children with it. Raises RunNotFound, RunEnded.

    The result's status is `canceled`, or `running` while its code lets go.
    """
    own = services()
    requested = cancel_run(own.database, caller.scope, run_id, caller.actor, own.settings)
    _tell(requested)
    for child in cancel_children(own.database, run_id, caller.actor, own.settings):
        _tell(child)
    return requested


def _tell(requested: CancelRequested) -> None:
    own = services()
    if requested.status is Status.RUNNING:
        own.control.cancel(requested.worker_id, requested.run_id, requested.attempt)
    own.wakeups.wake_all(requested.woken)
