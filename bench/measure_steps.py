"""Steps per second of one process, and runs of a few steps, with strict and with relaxed durability."""

from __future__ import annotations

import os
import time
from pathlib import Path
from textwrap import dedent

from keystroke.authoring.project import load_project
from keystroke.execution.attempt import run_attempt
from keystroke.execution.gate import QuietGate
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.settings import Settings
from keystroke.store import Database
from support.attempts import Rig
from support.projects import write_project

_STEPS = int(os.environ.get("KEYSTROKE_BENCH_STEPS", "1000"))
_RUNS = 60
_FLOWS = """
    from keystroke import action, workflow

    @action
    def step(number: int) -> int:
        return number + 1

    @workflow("strict")
    def strict(count: int) -> int:
        return sum(step(number) for number in range(count))

    @workflow("relaxed", durability="relaxed")
    def relaxed(count: int) -> int:
        return sum(step(number) for number in range(count))
"""


def measure_steps(database: Database, settings: Settings, tmp_path: Path) -> None:
    """Print the figures of one database."""
    files = {"workflows/flows.py": dedent(_FLOWS)}
    rig = Rig(database, settings, load_project(write_project(tmp_path / "project", files)))
    print(f"\n{database.backend}, one process: durability, steps/s of a run of {_STEPS}, runs/s of 3 steps")
    for workflow in ("strict", "relaxed"):
        attempt(rig, workflow, 50)
        began = time.perf_counter()
        attempt(rig, workflow, _STEPS)
        steps = _STEPS / (time.perf_counter() - began)
        for _ in range(_RUNS):
            rig.start(workflow, 3)
        began = time.perf_counter()
        for _ in range(_RUNS):
            finish(rig)
        print(f"  {workflow:<8} {steps:8.0f} {_RUNS / (time.perf_counter() - began):8.1f}")


def attempt(rig: Rig, workflow: str, count: int) -> None:
    """One run of so many steps, from its claim to its end."""
    rig.start(workflow, count)
    finish(rig)


def finish(rig: Rig) -> None:
    """Claim a run, execute it and record its end, as a worker does."""
    lease = rig.stage.claim()
    assert lease is not None
    result = run_attempt(
        rig.database, rig.project, lease, QuietGate(), rig.settings, rig.stage.box, defers=True
    )
    finish_attempt(rig.database, lease, result.outcome, result.active, rig.settings, None, last=result.last)
