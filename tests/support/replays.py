"""Replays made by hand, on a stage or with a rig."""

from __future__ import annotations

from typing import Any

from keystroke.domain.actor import Actor
from keystroke.operations.replay_run import EditedInput, ReplayRequest, replay_run
from keystroke.operations.start_run import StartedRun
from support.starts import Stage

REPLAYER = Actor("api_key", "key_test", "whoever replays")


def replay(stage: Stage, run_id: str, from_step: str | None = None, **options: Any) -> StartedRun:
    """Replay a run; with `input` an edited one."""
    if "input" in options:
        options["input"] = EditedInput(options["input"])
    request = ReplayRequest(run_id, REPLAYER, from_step, **options)
    return replay_run(stage.database, stage.scope, request, stage.settings, stage.box)
