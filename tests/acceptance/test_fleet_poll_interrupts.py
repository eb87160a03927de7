"""On a real worker: ticks that take too long end, however their code behaves, and a worker that stops gives its own back."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import pytest
from sqlalchemy import Row

from keystroke.operations.queue_tick import queue_tick
from keystroke.store import access, sources
from keystroke.store.sql import Sql
from support.projects import write_project
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(240)
POLLS = {
    "triggers/slow.py": """
        import time
        from pathlib import Path

        from keystroke import poll
        from marks import mark
        from workflows.stubborn import noop


        @poll("spins", every="1d", timeout="500ms")
        def spins() -> None:
            while True:
                pass


        @poll("swallows", every="1d", timeout="500ms")
        def swallows() -> None:
            while True:
                try:
                    time.sleep(600)
                except BaseException:
                    mark("swallowed")


        @poll("dozes", every="1d")
        def dozes() -> None:
            mark("dozing")
            while not (Path(__file__).parents[1] / "awake").exists():
                time.sleep(0.02)


        for each in (spins, swallows, dozes):
            each.attach(noop)
    """,
}
_TICK = Sql("select * from ticks where id = :id")


def fire(fleet: WorkerFleet, slug: str) -> str:
    """Queue a tick of the poll; its id."""
    with fleet.database.transaction() as tx:
        project = access.get_project(access.local_scope(tx), tx, "shop")
        source = sources.of_slug(tx, project.id, slug)
        assert source is not None
        queued = queue_tick(tx, source, None, dry_run=False, actor=None)
    fleet.wakeups.wake(queued.project_id, queued.queue)
    return queued.tick_id


def tick(fleet: WorkerFleet, tick_id: str) -> Row[tuple[object, ...]]:
    with fleet.database.read() as tx:
        row = tx.row(_TICK, {"id": tick_id})
    assert row is not None
    return row


def ended(fleet: WorkerFleet, tick_id: str) -> Row[tuple[object, ...]]:
    wait_until(lambda: tick(fleet, tick_id).status == "ended", PATIENCE, what=f"{tick_id} has ended")
    return tick(fleet, tick_id)


def test_ticks_are_interrupted_killed_and_given_back(worker_fleet: WorkerFleet) -> None:
    """One fleet, since starting one takes its time."""
    fleet = worker_fleet
    fleet.settings = replace(fleet.settings, cancel_grace=1.0, drain_grace=0.2)
    write_project(fleet.directory, POLLS)
    worker = fleet.start_worker()
    _both_that_take_too_long_end(fleet)
    dozing = fire(fleet, "dozes")
    wait_until(lambda: fleet.marks("dozing"), PATIENCE, what="it is executed")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0, worker.output
    given_back = tick(fleet, dozing)
    assert (given_back.status, given_back.attempt, given_back.recoveries) == ("queued", 1, 0)
    (fleet.directory / "awake").touch()
    fleet.start_worker()
    done = ended(fleet, dozing)
    assert (done.outcome, done.attempt, done.recoveries) == ("filtered", 2, 0)


def _both_that_take_too_long_end(fleet: WorkerFleet) -> None:
    """The one lets go, the other is killed after the grace; neither is tried again."""
    for row in [ended(fleet, each) for each in [fire(fleet, "spins"), fire(fleet, "swallows")]]:
        assert (row.outcome, row.attempt) == ("error", 1)
        assert "its timeout is 0.5 s" in json.loads(row.error)["message"]
    assert fleet.marks("swallowed")
