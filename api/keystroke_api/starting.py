"""After a start is committed: whoever has to hear of it."""

from __future__ import annotations

from keystroke.domain.states import Status
from keystroke.operations.start_run import StartedRun
from keystroke_api.services import services


def wake_and_interrupt(started: StartedRun) -> None:
    """Wake a worker for the run, and have those let go whose runs it replaces."""
    own = services()
    for each in started.canceled:
        if each.status is Status.RUNNING:
            own.control.cancel(each.worker_id, each.run_id, each.attempt)
    own.wakeups.wake_all(started.woken)
