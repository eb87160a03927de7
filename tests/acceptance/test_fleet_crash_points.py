"""Processes really die at every crash point there is, and each run ends as if nothing had happened."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from keystroke.crashpoints import CRASH_POINTS
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.states import Status
from keystroke.operations.backfill_trigger import BackfillRequest, start_backfill
from keystroke.store import access, backfills, sources
from keystroke.store.sql import Sql
from support import acting
from support.processes import Started, environment_of
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(300)

LIFE = '''
    """A life with everything that is recorded."""

    from keystroke import Context, HookTimeout, action, schedule, webhook, workflow
    from keystroke.verify import open_endpoint
    from marks import mark


    @action
    def jot(text: str, run_id: str) -> str:
        mark("notes", f"{run_id} {text}")
        return text


    @workflow("leaf")
    def leaf(ctx: Context) -> str:
        ctx.sleep(0.2)
        return jot("leaf", ctx.run_id)


    @workflow("life")
    def life(ctx: Context) -> list:
        hook, nobody = ctx.hook("go", schema=int), ctx.hook("nobody", timeout=0.5)
        first = jot("first", ctx.run_id)
        ctx.sleep(0.3)
        child = leaf.run()
        try:
            nobody.wait()
        except HookTimeout:
            jot("nobody", ctx.run_id)
        mark("hooks", hook.token)
        answer = hook.wait()
        # By now nothing of the run's own dies any more: it does come to rest, and somebody has to wake it.
        ctx.sleep(1.5)
        return [first, child, answer, jot("last", ctx.run_id)]


    @workflow("posted")
    def posted(number: int) -> int:
        return number


    posted_to = webhook("posted", "posted", int, open_endpoint()).attach(posted)
    ticking = schedule("ticking", every="2s", payload=1).attach(posted)


    @workflow("long-leaf")
    def long_leaf(ctx: Context) -> None:
        mark("long-leaf")
        ctx.sleep("1d")


    @workflow("long")
    def long(ctx: Context) -> None:
        long_leaf.run()
'''
#: Where whoever starts, answers and cancels dies; where beats do; and where a worker's children do: everywhere else.
OF_ACTS = {
    "run-inserted", "run-started", "runs-inserted", "runs-started", "hook-answering", "hook-answered", "cancel-requesting",
    "cancel-requested", "delivery-receiving", "delivery-received",
}  # fmt: skip
OF_BEATS = {
    "run-waking", "run-woken", "run-recovering", "run-recovered", "child-canceling", "child-canceled",
    "schedule-firing", "schedule-fired", "backfill-firing", "backfill-fired",
}  # fmt: skip
_ROOTS = Sql("select id from runs where parent_run_id is null and trigger_type <> 'schedule' order by id")
_UNPAIRED = Sql("""
select coalesce(runs.id, ticks.id) as id from ticks full join runs on runs.trigger_id = ticks.id
where (ticks.id is null and runs.trigger_type = 'schedule') or (runs.id is null and ticks.outcome = 'fired')
""")
_BACKFILLED = Sql("select run_ids from ticks where origin = :origin")
DAY = datetime(2026, 3, 2, tzinfo=UTC)
OF_CHILDREN = CRASH_POINTS - OF_ACTS - OF_BEATS


class Reaper:
    """Starts processes that die at points, each point once in all, and beats in the place of those that died."""

    def __init__(self, fleet: WorkerFleet, directory: Path) -> None:
        self.fleet = fleet
        self._directory = directory
        directory.mkdir()
        self._beat: Started | None = None

    @property
    def died_at(self) -> set[str]:
        return {path.name for path in self._directory.iterdir()}

    def at(self, points: set[str] | frozenset[str]) -> str:
        return ",".join(f"{point}:{self._directory / point}" for point in sorted(points))

    def act(self, act: str, argument: str) -> tuple[bool, list[str]]:
        """Whether it came through, and the lines that it said."""
        variables = {**environment_of(self.fleet.settings), "KEYSTROKE_CRASH_AT": self.at(OF_ACTS)}
        process = self.fleet.processes.start(
            [sys.executable, acting.__file__, act, argument], variables=variables
        )
        code = process.wait()
        assert code in (0, -9), process.output
        return code == 0, process.output.split()

    def beats(self) -> bool:
        """Have a beat; False, so that it can stand in what is waited for."""
        if self._beat is None or self._beat.process.poll() is not None:
            self._beat = self.fleet.processes.keystroke(
                "beat", settings=self.fleet.settings, variables={"KEYSTROKE_CRASH_AT": self.at(OF_BEATS)}
            )
        return False

    def wait(self, run_id: str, status: Status) -> None:
        wait_until(
            lambda: self.beats() or self.fleet.run(run_id).status == status,
            120,
            what=f"{run_id} is {status}: {self.fleet.run(run_id)}, died at {sorted(self.died_at)}",
        )

    def runs(self) -> list[str]:
        """The roots, oldest first."""
        with self.fleet.database.read() as tx:
            return [row.id for row in tx.rows(_ROOTS)]


@pytest.fixture
def reaper(worker_fleet: WorkerFleet, tmp_path: Path) -> Reaper:
    source = worker_fleet.directory / "workflows" / "life.py"
    source.write_text(dedent(LIFE).lstrip(), encoding="utf-8")
    worker_fleet.settings = replace(worker_fleet.settings, dead_after=3.0, recovery_budget=100)
    return Reaper(worker_fleet, tmp_path / "died")


def test_dying_at_every_crash_point_costs_time_alone(reaper: Reaper) -> None:
    """One fleet, since starting one takes its time."""
    worker = reaper.fleet.start_worker(KEYSTROKE_CRASH_AT=reaper.at(OF_CHILDREN))
    reaper.beats()
    _a_life_whose_every_write_is_fatal(reaper)
    _many_are_started_all_or_none(reaper)
    _what_is_posted_is_there_once(reaper)
    _a_schedule_fires_each_time_whole_or_not_yet(reaper)
    _a_backfill_fires_once_for_each_time(reaper)
    _a_cancel_reaches_the_children(reaper)
    _a_worker_and_its_recoverers_die(reaper, worker)
    assert reaper.died_at == CRASH_POINTS


def _a_life_whose_every_write_is_fatal(reaper: Reaper) -> None:
    fleet = reaper.fleet
    assert reaper.act("start", "life") == (False, [])
    assert reaper.runs() == [], "it died before the commit"
    assert reaper.act("start", "life") == (False, [])
    [life] = reaper.runs()
    wait_until(lambda: reaper.beats() or fleet.marks("hooks"), 120, what="life waits for its answer")
    token = fleet.marks("hooks")[0]
    assert [reaper.act("answer", token)[0] for _ in range(2)] == [False, False]
    reaper.wait(life, Status.SUCCESS)
    assert fleet.run(life).output == ["first", "leaf", 42, "last"]
    assert reaper.died_at >= OF_CHILDREN
    notes = [line.split()[1] for line in fleet.marks("notes")]
    assert set(notes) == {"first", "leaf", "nobody", "last"}
    assert len(notes) == 6, "one is repeated for each of the two deaths between its execution and its record"


def _many_are_started_all_or_none(reaper: Reaper) -> None:
    assert [reaper.act("start-many", "brief")[0] for _ in range(2)] == [False, False]
    _, *brief = reaper.runs()
    assert len(brief) == 2
    for run_id in brief:
        reaper.wait(run_id, Status.SUCCESS)


def _what_is_posted_is_there_once(reaper: Reaper) -> None:
    """Whoever is not answered posts again, under the same key: until he hears that it is there already."""
    before = reaper.runs()
    assert reaper.act("post", "posted") == (False, [])
    assert reaper.runs() == before, "it died before the commit"
    assert reaper.act("post", "posted") == (False, [])
    [run_id] = set(reaper.runs()) - set(before)
    assert reaper.act("post", "posted") == (True, ["duplicate", run_id])
    reaper.wait(run_id, Status.SUCCESS)


def _a_schedule_fires_each_time_whole_or_not_yet(reaper: Reaper) -> None:
    both = {"schedule-firing", "schedule-fired"}
    wait_until(lambda: reaper.beats() or reaper.died_at >= both, 60, what="beats have died while they fired")
    with reaper.fleet.database.read() as tx:
        assert tx.rows(_UNPAIRED) == [], "a tick and its run are there together"


def _a_backfill_fires_once_for_each_time(reaper: Reaper) -> None:
    """Beats have died in the midst of it and behind it, before they told anybody."""
    fleet = reaper.fleet
    with fleet.database.read() as tx:
        project = access.get_project(access.local_scope(tx), tx, acting.PROJECT)
        ticking = sources.of_slug(tx, project.id, "ticking")
    assert ticking is not None
    request = BackfillRequest(LOCAL_OWNER, DAY, DAY + timedelta(minutes=1))
    made = start_backfill(fleet.database, project, ticking.id, request)

    def ended() -> bool:
        with fleet.database.read() as tx:
            return backfills.backfill_of(tx, made.id).status == "completed"

    wait_until(lambda: reaper.beats() or ended(), 60, what="the backfill has ended")
    assert reaper.died_at >= {"backfill-firing", "backfill-fired"}
    with fleet.database.read() as tx:
        fired = [row.run_ids for row in tx.rows(_BACKFILLED, {"origin": made.origin})]
        assert tx.rows(_UNPAIRED) == []
    assert len(fired) == len(set(fired)) == 30


def _a_cancel_reaches_the_children(reaper: Reaper) -> None:
    """Also where he who canceled has died before he told them."""
    fleet = reaper.fleet
    _, [long] = reaper.act("start", "long")
    wait_until(lambda: fleet.marks("long-leaf"), PATIENCE, what="its child has begun")
    assert [reaper.act("cancel", long)[0] for _ in range(2)] == [False, False]
    assert fleet.run(long).status is Status.CANCELED
    both = {"child-canceling", "child-canceled"}
    wait_until(lambda: reaper.beats() or reaper.died_at >= both, 60, what="its child is canceled")


def _a_worker_and_its_recoverers_die(reaper: Reaper, worker: Started) -> None:
    fleet = reaper.fleet
    _, [three] = reaper.act("start", "three")
    wait_until(lambda: f"{three} 2" in "\n".join(fleet.marks("steps")), PATIENCE, what="its second step runs")
    worker.kill()
    wait_until(lambda: reaper.beats() or "run-recovered" in reaper.died_at, 60, what="it is recovered")
    (fleet.directory / "release").touch()
    fleet.start_worker()
    reaper.wait(three, Status.SUCCESS)
