"""A worker tells of what it commits, so that pages and waits need not look for it."""

from __future__ import annotations

import queue
from contextlib import closing

import pytest

from keystroke.broker.changes import ChangeListener
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)


def test_what_a_worker_commits_is_told(worker_fleet: WorkerFleet) -> None:
    heard: queue.Queue[None] = queue.Queue()
    listener = ChangeListener(worker_fleet.settings, lambda: heard.put(None))
    listener.start()
    with closing(listener):
        worker_fleet.start_worker()
        run_id = worker_fleet.start("noop")
        wait_until(lambda: not heard.empty(), PATIENCE, what="a change was told")
        worker_fleet.wait(run_id, "success")
