"""Canceling what runs: at once, with its clean-up, and without harm to anything else."""

from __future__ import annotations

import os
import re
import time

import psutil
import pytest

from keystroke.domain.states import Reason
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)
#: Seconds from the request to the record, at worst, for code that lets go.
_AT_WORST = 2.0
_CANCELS = int(os.environ.get("KEYSTROKE_TEST_CANCELS", "200"))


def started(fleet: WorkerFleet, workflow: str) -> str:
    """A run whose own code has begun."""
    run_id = fleet.start(workflow)
    wait_until(lambda: run_id in fleet.marks("started"), PATIENCE, what=f"{workflow} has begun")
    return run_id


@pytest.mark.parametrize("workflow", ["spin", "doze", "listen"])
def test_code_that_lets_go_is_canceled_within_two_seconds(worker_fleet: WorkerFleet, workflow: str) -> None:
    worker_fleet.start_worker()
    run_id = started(worker_fleet, workflow)
    asked = time.monotonic()
    worker_fleet.cancel(run_id)
    run = worker_fleet.wait(run_id, "canceled")
    assert time.monotonic() - asked < _AT_WORST
    assert run.status_reason is Reason.CANCELED_BY_USER
    assert worker_fleet.marks("finally") == [run_id]


def test_code_that_swallows_it_is_killed_after_the_grace_and_its_sibling_goes_on(
    worker_fleet: WorkerFleet,
) -> None:
    worker = worker_fleet.start_worker()
    sibling = started(worker_fleet, "doze")
    run_id = started(worker_fleet, "swallow")
    asked = time.monotonic()
    worker_fleet.cancel(run_id)
    worker_fleet.wait(run_id, "canceled")
    grace = worker_fleet.settings.cancel_grace
    assert grace <= time.monotonic() - asked < grace + _AT_WORST
    assert worker_fleet.marks("swallowed") == [run_id], "it is raised once"
    helper = int(worker_fleet.marks("helper")[0])
    wait_until(lambda: not _lives(helper), what="what the attempt had started is gone too")
    assert (worker_fleet.run(sibling).status, worker_fleet.run(sibling).attempt) == ("running", 1)
    worker_fleet.cancel(sibling)
    worker_fleet.wait(sibling, "canceled")
    worker_fleet.wait(worker_fleet.start("noop"), "success")
    assert worker.stop() == 0


def test_cancels_reach_the_worker_without_redis(worker_fleet: WorkerFleet) -> None:
    worker_fleet.start_worker()
    run_id = started(worker_fleet, "doze")
    nobody_hears = worker_fleet.settings.heartbeat + _AT_WORST
    asked = time.monotonic()
    worker_fleet.control.close()
    worker_fleet.cancel(run_id)
    worker_fleet.wait(run_id, "canceled")
    assert time.monotonic() - asked < nobody_hears


@pytest.mark.parametrize("worker_fleet", ["sqlite", "postgresql"], indirect=True)
def test_many_cancels_of_runs_in_short_steps_leave_no_wrong_record(worker_fleet: WorkerFleet) -> None:
    worker = worker_fleet.start_worker()
    runs = []
    for _ in range(_CANCELS):
        run_id = worker_fleet.start("brief")
        wait_until(lambda: worker_fleet.run(run_id).status != "queued", PATIENCE, what="it was claimed")  # noqa: B023
        worker_fleet.cancel(run_id)
        runs.append(run_id)
    for run_id in runs:
        wait_until(lambda: worker_fleet.run(run_id).status.terminal, PATIENCE, what="it has ended")  # noqa: B023
    for run_id in runs:
        run = worker_fleet.run(run_id)
        assert run.status in ("success", "canceled"), run
        assert (run.attempt, run.recoveries, run.failures) == (1, 0, 0)
        executed = [line.split()[1] for line in worker_fleet.marks("steps") if line.startswith(run_id)]
        assert executed == sorted(set(executed)), "no step was executed twice"
        steps = worker_fleet.steps(run_id)
        assert all(step.error["type"].endswith("RunCanceled") for step in steps if step.error)
        # A step that was under way may be shown as running; nothing final is missing before it.
        assert all(step.status == "success" for step in steps[:-1])
        assert run.status != "success" or len(executed) == 5
    worker_fleet.wait(worker_fleet.start("noop"), "success")
    assert not re.search(r'"level": "(error|critical)"', worker.output), worker.output


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
