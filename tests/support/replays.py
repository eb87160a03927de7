"""Replays made by hand, on a stage or with a rig."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from keystroke.clock import from_micros
from keystroke.domain.actor import Actor
from keystroke.domain.lease import Lease
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.domain.usage import UsageItem
from keystroke.operations.record_step import record_step
from keystroke.operations.replay_run import EditedInput, ReplayRequest, replay_run
from keystroke.operations.start_run import StartedRun
from keystroke.store.expiry import now
from support.starts import Stage

REPLAYER = Actor("api_key", "key_test", "whoever replays")


def replay(stage: Stage, run_id: str, from_step: str | None = None, **options: Any) -> StartedRun:
    """Replay a run; with `input` an edited one."""
    if "input" in options:
        options["input"] = EditedInput(options["input"])
    request = ReplayRequest(run_id, REPLAYER, from_step, **options)
    return replay_run(stage.database, stage.scope, request, stage.settings, stage.box)


class Recorder:
    """Records steps of a lease: each begins a second after the one before, unless it says otherwise."""

    def __init__(self, stage: Stage, lease: Lease) -> None:
        """From an hour ago on."""
        self.stage = stage
        self.lease = lease
        with stage.database.read() as tx:
            self.at = from_micros(now(tx)) - timedelta(hours=1)

    def step(
        self, identity: str, status: str = "success", kind: str = "action", begins: float = 1, lasts: float = 0.5, **more: Any
    ) -> Step:  # fmt: skip
        """Record a step that begins so many seconds after the one before."""
        self.at += timedelta(seconds=begins)
        key = identity.rpartition("/")[2].partition("#")[0]
        final = status in ("success", "failed")
        step = Step(
            identity, key, key, StepKind(kind), StepStatus(status), 1, "digest", self.at,
            self.at + timedelta(seconds=lasts) if final else None,
            **{"input": {"of": identity}, "output": f"result of {identity}" if status == "success" else None, **more},
        )  # fmt: skip
        usage = [UsageItem("service", "shop", Decimal(1), "", Decimal(2), "USD", identity)] if final else []
        record_step(self.stage.database, self.lease, step, self.stage.settings, usage)
        return step
