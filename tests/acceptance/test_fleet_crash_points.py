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

# Somebody dies at each of fifty points, one after the other: that takes a minute, on a busy machine two and a half.
pytestmark = pytest.mark.timeout(300)

LIFE = '''
    """A life with everything that is recorded."""

    import time
    from pathlib import Path

    from keystroke import Context, HookTimeout, PollResult, action, poll, schedule, webhook, workflow
    from keystroke.verify import open_endpoint
    from pydantic import BaseModel
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


    class Place(BaseModel):
        at: int


    @poll("counting", every="1s", state=Place)
    def counting(state: Place | None) -> PollResult[int]:
        at = state.at if state else 0
        while (Path(__file__).parents[1] / "hold-counting").exists():
            mark("held", str(at))
            time.sleep(0.05)
        return PollResult([at], Place(at=at + 1))


    counting.attach(posted)


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
    "cancel-requested", "delivery-receiving", "delivery-received", "tick-canceling", "tick-canceled",
}  # fmt: skip
OF_BEATS = {
    "run-waking", "run-woken", "run-recovering", "run-recovered", "child-canceling", "child-canceled",
    "schedule-firing", "schedule-fired", "backfill-firing", "backfill-fired", "tick-queueing", "tick-queued",
    "tick-recovering", "tick-recovered",
}  # fmt: skip
_ROOTS = Sql("""
select id from runs where parent_run_id is null and trigger_type not in ('schedule', 'poll') order by id
""")
_UNPAIRED = Sql("""
select coalesce(runs.id, ticks.id) as id from ticks full join runs on runs.trigger_id = ticks.id
where (ticks.id is null and runs.trigger_type in ('schedule', 'poll')) or (runs.id is null and ticks.outcome = 'fired')
""")
_COUNTED = Sql("""
select body from runs join run_payloads on run_id = runs.id and name = 'input' where trigger_type = 'poll' order by runs.id
""")
_RUNNING_TICK = Sql("select id from ticks where kind = 'poll' and status = 'running'")
_ERROR = Sql("select error from ticks where id = :id and status = 'ended'")
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
    _a_cancel_reaches_a_tick(reaper)
    _a_worker_and_its_recoverers_die(reaper, worker)
    _a_poll_has_counted_without_a_gap(reaper)
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
    wait_until(
        lambda: reaper.beats() or reaper.died_at >= OF_CHILDREN, 60, what="children have died everywhere"
    )
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


def _held_tick(reaper: Reaper) -> str:
    """Have the poll wait in the midst of a tick; the tick."""
    fleet = reaper.fleet
    before = len(fleet.marks("held"))
    (fleet.directory / "hold-counting").touch()
    wait_until(lambda: reaper.beats() or len(fleet.marks("held")) > before, PATIENCE, what="the poll waits")
    with fleet.database.read() as tx:
        return str(tx.value(_RUNNING_TICK))


def _a_cancel_reaches_a_tick(reaper: Reaper) -> None:
    """Who asked has died before he told the worker, which reads it with its heartbeat."""
    fleet, tick_id = reaper.fleet, _held_tick(reaper)
    assert [reaper.act("cancel-tick", tick_id)[0] for _ in range(2)] == [False, False]

    def error() -> str | None:
        with fleet.database.read() as tx:
            return tx.value(_ERROR, {"id": tick_id})  # type: ignore[no-any-return]

    assert "TickCanceled" in (wait_until(error, PATIENCE, what="the tick is canceled") or "")
    (fleet.directory / "hold-counting").unlink()


def _a_poll_has_counted_without_a_gap(reaper: Reaper) -> None:
    def counted() -> list[int]:
        with reaper.fleet.database.read() as tx:
            assert tx.rows(_UNPAIRED) == []
            return [int(row.body) for row in tx.rows(_COUNTED)]

    before = len(counted())
    wait_until(lambda: reaper.beats() or len(counted()) > before, 60, what="the poll goes on")
    found = counted()
    assert found == list(range(len(found)))


def _a_worker_and_its_recoverers_die(reaper: Reaper, worker: Started) -> None:
    fleet = reaper.fleet
    _held_tick(reaper)
    _, [three] = reaper.act("start", "three")
    wait_until(lambda: f"{three} 2" in "\n".join(fleet.marks("steps")), PATIENCE, what="its second step runs")
    worker.kill()
    both = {"run-recovered", "tick-recovered"}
    wait_until(lambda: reaper.beats() or reaper.died_at >= both, 60, what="run and tick are recovered")
    (fleet.directory / "release").touch()
    (fleet.directory / "hold-counting").unlink()
    fleet.start_worker()
    reaper.wait(three, Status.SUCCESS)
