"""On a real worker: runs that have worked for as long as they may end, however their code behaves, and nobody else does; a
kill in the middle of a run that records in groups repeats the last steps and no others.
"""

from __future__ import annotations

import time

import pytest

from keystroke.domain.states import Reason
from support.projects import write_project
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)
TIMED = {
    "workflows/timed.py": """
        import os
        import signal
        import time
        from pathlib import Path

        from keystroke import Context, action, workflow
        from marks import mark


        @action
        def clean(run_id: str) -> None:
            mark("cleaned", run_id)


        @workflow("spin-timed", timeout="500ms", max_attempts=3)
        def spin_timed(ctx: Context) -> None:
            try:
                while True:
                    pass
            finally:
                mark("finally", ctx.run_id)
                clean(ctx.run_id)


        @workflow("swallow-timed", timeout="500ms", max_attempts=3)
        def swallow_timed(ctx: Context) -> None:
            while True:
                try:
                    time.sleep(600)
                except BaseException:
                    mark("swallowed", ctx.run_id)


        @action
        def number(value: int) -> int:
            mark("numbers", str(value))
            killed = Path(__file__).parents[1] / "killed"
            if value == 300 and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return value


        @workflow("relaxed", durability="relaxed")
        def relaxed() -> int:
            return sum(number(value) for value in range(400))
    """,
}


def test_what_ends_and_what_survives(worker_fleet: WorkerFleet) -> None:
    write_project(worker_fleet.directory, TIMED)
    worker = worker_fleet.start_worker()
    runs_out_of_time_end_and_their_sibling_goes_on(worker_fleet)
    a_kill_repeats_the_last_steps_and_no_others(worker_fleet)
    assert worker.stop() == 0


def a_kill_repeats_the_last_steps_and_no_others(worker_fleet: WorkerFleet) -> None:
    run = worker_fleet.wait(worker_fleet.start("relaxed"), "success")
    assert (run.output, run.attempt, run.recoveries) == (sum(range(400)), 2, 1)
    assert [step.identity for step in worker_fleet.steps(run.id)] == [f"number#{n}" for n in range(400)]
    executed = [int(line) for line in worker_fleet.marks("numbers")]
    again = executed[301]
    assert executed == [*range(301), *range(again, 400)], (
        "what was on record is a beginning of what was executed"
    )
    assert 0 < again <= 300


def runs_out_of_time_end_and_their_sibling_goes_on(worker_fleet: WorkerFleet) -> None:
    sibling = worker_fleet.start("doze")
    wait_until(lambda: sibling in worker_fleet.marks("started"), PATIENCE, what="the sibling has begun")

    run = worker_fleet.wait(worker_fleet.start("spin-timed"), "failed")
    assert (run.status_reason, run.attempt, run.recoveries) == (Reason.TIMEOUT, 1, 0)
    assert worker_fleet.marks("finally") == [run.id]
    assert worker_fleet.marks("cleaned") == [], "no durable call while the code is left"
    assert run.error is not None
    assert "its timeout is 0.5 s" in run.error["message"]

    began = time.monotonic()
    run = worker_fleet.wait(worker_fleet.start("swallow-timed"), "failed")
    assert time.monotonic() - began >= worker_fleet.settings.cancel_grace
    assert (run.status_reason, run.attempt, run.recoveries) == (Reason.TIMEOUT, 1, 0)
    assert run.active_ms >= 500 + worker_fleet.settings.cancel_grace * 1000
    assert worker_fleet.marks("swallowed") == [run.id]

    assert (worker_fleet.run(sibling).status, worker_fleet.run(sibling).attempt) == ("running", 1)
    worker_fleet.cancel(sibling)
    worker_fleet.wait(sibling, "canceled")
