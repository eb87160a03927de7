"""Children die again and again while threads of theirs and of the worker log: each is replaced, and none hangs in a lock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keystroke.domain.states import Reason, Status
from keystroke.store import history
from support.waiting import wait_until
from support.worker_fleet import WorkerFleet

# The pool replaces a child within a second; eight at a time make that a minute altogether.
_CHILDREN = 8
_RUNS = 84
#: Six attempts each, then the recovery budget is spent: 504 children.
_LOSSES = 6


@pytest.mark.timeout(600)
def test_five_hundred_children_are_replaced_under_logging_load(worker_fleet: WorkerFleet) -> None:
    worker = worker_fleet.start_worker(
        settings=replace(worker_fleet.settings, log_level="debug", concurrency=_CHILDREN)
    )
    runs = [worker_fleet.start("mortal") for _ in range(_RUNS)]

    def all_ended() -> bool:
        with worker_fleet.database.read() as tx:
            statuses = history.list_statuses(worker_fleet.scope, tx, runs)
        return all(status.terminal for status in statuses.values())

    wait_until(all_ended, 500, what="every run has used up its recovery budget")
    for run_id in runs:
        run = worker_fleet.run(run_id)
        assert (run.status, run.status_reason) == (Status.FAILED, Reason.WORKER_LOST)
        assert (run.attempt, run.recoveries, run.failures) == (_LOSSES, _LOSSES, 0)
    assert worker_fleet.wait(worker_fleet.start("noop"), "success").attempt == 1
    assert len(worker.children()) == _CHILDREN
