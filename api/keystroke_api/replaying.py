"""Replaying a run: the new run in the database, then whoever has to hear of it."""

from __future__ import annotations

from keystroke.operations.api_keys import Principal
from keystroke.operations.replay_run import ReplayRequest, replay_run
from keystroke.operations.start_run import StartedRun
from keystroke.telemetry import announce
from keystroke.telemetry.events import RunReplayed
from keystroke_api.services import services
from keystroke_api.starting import wake_and_interrupt


def replay(caller: Principal, wanted: ReplayRequest) -> StartedRun:
    """Start the replay and wake a worker. Raises what `replay_run` raises."""
    own = services()
    started = replay_run(own.database, caller.scope, wanted, own.settings, own.box)
    if started.created:
        announce(RunReplayed(started.run_id, wanted.run_id))
        wake_and_interrupt(started)
    return started
