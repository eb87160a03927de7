"""Runs that have worked for as long as they may, on a real worker: ended, however their code behaves, and nobody else is."""

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
        import time

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
    """,
}


def test_runs_out_of_time_end_and_their_sibling_goes_on(worker_fleet: WorkerFleet) -> None:
    write_project(worker_fleet.directory, TIMED)
    worker = worker_fleet.start_worker()
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
    assert worker.stop() == 0
