"""Real workers and beats are killed while they poll: each item of the feed is handled by one run, in order, and none is left out.

`KEYSTROKE_TEST_TICKS=200` for the whole of it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil
import pytest

from keystroke.crashpoints import CRASH_POINTS
from keystroke.domain.payload import decode_payload
from keystroke.operations.queue_tick import queue_tick
from keystroke.store import access, polls, sources
from keystroke.store.sql import Sql
from support.processes import Started
from support.projects import write_project
from support.waiting import wait_until
from support.worker_fleet import WorkerFleet

pytestmark = pytest.mark.timeout(1800)

TICKS: Final = int(os.environ.get("KEYSTROKE_TEST_TICKS", "5"))
_BATCH: Final = 3
#: Where a worker's children die while they execute a tick, and where a beat dies that makes one: each once.
OF_CHILDREN: Final = {"tick-claiming", "tick-claimed", "tick-ending", "tick-ended"}
OF_BEATS: Final = {"tick-queueing", "tick-queued"}
_FEED: Final = {
    "triggers/feed.py": f'''
        import time

        from keystroke import PollResult, poll, workflow
        from marks import mark
        from pydantic import BaseModel


        class Cursor(BaseModel):
            at: int


        class Item(BaseModel):
            number: int


        @workflow("take")
        def take(item: Item) -> int:
            return item.number


        @poll("feed", every="1s", state=Cursor)
        def feed(state: Cursor | None) -> PollResult[Item]:
            at = state.at if state else 0
            mark("looks", str(at))
            print("looking from", at)
            time.sleep(0.05)
            new = range(at + 1, min(at + {_BATCH}, {TICKS * _BATCH}) + 1)
            return PollResult([Item(number=each) for each in new], Cursor(at=max(new, default=at)))


        feed.attach(take)
    ''',
}  # fmt: skip
_TAKEN: Final = Sql("""
select body from runs join run_payloads on run_id = id and name = 'input' where workflow = 'take' order by id
""")
_OUTCOMES: Final = Sql("select outcome, count(*) as ticks from ticks where status = 'ended' group by outcome")


class Follower:
    """A fleet that follows the feed, and somebody who kills what is in it."""

    def __init__(self, fleet: WorkerFleet, died: Path) -> None:
        died.mkdir()
        self.fleet = fleet
        self._died = died
        self._draw = random.Random(TICKS)
        self._beat: Started | None = None
        self._worker = self._start_worker()
        self._kills: list[Callable[[], None]] = [self._kill_child, self._kill_child, self._kill_worker]

    @property
    def died_at(self) -> set[str]:
        """The crash points at which somebody has died."""
        return {path.name for path in self._died.iterdir()}

    def taken(self) -> list[int]:
        """The items for which a run was started, oldest first."""
        with self.fleet.database.read() as tx:
            return [decode_payload(row.body)["number"] for row in tx.rows(_TAKEN)]

    def follow(self) -> None:
        """Until all is taken; every few ticks somebody is killed, and whoever is gone is replaced."""
        every = _BATCH * max(TICKS // 20, 2)
        for mark in range(every, TICKS * _BATCH + 1, every):
            self._wait_for(mark)
            self._draw.choice(self._kills)()
        self._wait_for(TICKS * _BATCH)

    def _wait_for(self, count: int) -> None:
        wait_until(
            lambda: self._looked_after() and len(self.taken()) >= count, 120, what=f"{count} are taken"
        )

    def _looked_after(self) -> bool:
        """Beats and workers come back, and somebody fires by hand, so that a test need not wait for whole seconds."""
        if self._beat is None or self._beat.process.poll() is not None:
            settings = self.fleet.settings
            self._beat = self.fleet.processes.keystroke(
                "beat", settings=settings, variables={"KEYSTROKE_CRASH_AT": self._at(OF_BEATS)}
            )
        if self._worker.process.poll() is not None:
            self._worker = self._start_worker()
        self._look_now()
        return True

    def _look_now(self) -> None:
        with self.fleet.database.transaction() as tx:
            project = access.get_project(access.local_scope(tx), tx, "shop")
            source = sources.of_slug(tx, project.id, "feed")
            if (
                source is None
                or polls.unfinished(tx, source.id) is not None
                or polls.state_of(tx, source.id) is None
            ):
                return
            queued = queue_tick(tx, source, None, dry_run=False, actor=None)
        self.fleet.wakeups.wake(queued.project_id, queued.queue)

    def _start_worker(self) -> Started:
        return self.fleet.start_worker(KEYSTROKE_CRASH_AT=self._at(OF_CHILDREN))

    def _at(self, points: set[str]) -> str:
        return ",".join(f"{point}:{self._died / point}" for point in sorted(points))

    def _kill_child(self) -> None:
        with suppress(psutil.Error, IndexError):
            self._draw.choice(self._worker.children()).kill()

    def _kill_worker(self) -> None:
        self._worker.kill_group()
        self._worker.wait()


def test_nothing_of_a_feed_is_skipped_or_repeated(worker_fleet: WorkerFleet, tmp_path: Path) -> None:
    worker_fleet.settings = replace(
        worker_fleet.settings, dead_after=2.0, heartbeat=0.5, recovery_budget=1000
    )
    write_project(worker_fleet.directory, _FEED)
    follower = Follower(worker_fleet, tmp_path / "died")
    follower.follow()
    assert follower.taken() == list(range(1, TICKS * _BATCH + 1))
    assert follower.died_at == OF_CHILDREN | OF_BEATS
    assert {each for each in CRASH_POINTS if each.startswith("tick-")} >= OF_CHILDREN | OF_BEATS
    with worker_fleet.database.read() as tx:
        outcomes = {row.outcome: row.ticks for row in tx.rows(_OUTCOMES)}
    assert outcomes["fired"] == TICKS
    assert set(outcomes) <= {"fired", "filtered", "skipped_overlap"}
