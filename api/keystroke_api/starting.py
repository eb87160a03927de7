"""Starting a run: the run in the database, then whoever has to hear of it."""

from __future__ import annotations

from keystroke.domain.states import Status
from keystroke.operations.start_run import StartedRun, StartRequest, start_run
from keystroke.store.access import Project
from keystroke.telemetry import announce
from keystroke.telemetry.events import RunStarted
from keystroke_api.services import services


def start(project: Project, wanted: StartRequest) -> StartedRun:
    """Start the run and wake a worker. Raises what `start_run` raises."""
    own = services()
    started = start_run(own.database, project, wanted, own.settings, own.box)
    if started.created:
        announce(RunStarted(started.run_id, wanted.workflow, wanted.trigger.type))
    wake_and_interrupt(started)
    return started


def wake_and_interrupt(started: StartedRun) -> None:
    """Wake a worker for the run, and have those let go whose runs it replaces."""
    own = services()
    for each in started.canceled:
        if each.status is Status.RUNNING:
            own.control.cancel(each.worker_id, each.run_id, each.attempt)
    own.wakeups.wake_all(started.woken)
