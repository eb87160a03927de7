"""Canceling a run from a page, as the API does it."""

from __future__ import annotations

from keystroke.domain.states import Status
from keystroke.operations.api_keys import Principal
from keystroke.operations.cancel_run import cancel_run
from keystroke_api.services import services


def cancel(caller: Principal, run_id: str) -> Status:
    """The run's status afterwards: canceled, or running while its code lets go. RunNotFound, RunEnded."""
    own = services()
    requested = cancel_run(own.database, caller.scope, run_id, caller.actor, own.settings)
    if requested.status is Status.RUNNING:
        own.control.cancel(requested.worker_id, requested.run_id, requested.attempt)
    return requested.status
