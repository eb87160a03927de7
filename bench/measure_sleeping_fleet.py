"""A fleet with `KEYSTROKE_BENCH_RUNS` (100,000) sleeping runs: what a worker, two beats and the broker take of the machine
without them and with them, and how soon a thousand that are due at the same instant are started by one worker of two children.

The processes are real; times are the database's. Whether a run is lost, or executed twice, is checked.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.footprint import Footprint, cpu_seconds, observe
from support.measuring import analyze
from support.processes import Processes, Started
from support.projects import write_project
from support.servers import PostgreSQL, Valkey
from support.sleepers import multiply
from support.waiting import wait_until
from support.worker_fleet import WorkerFleet

_RUNS = int(os.environ.get("KEYSTROKE_BENCH_RUNS", "100000"))
_DUE = min(1000, _RUNS // 5)
_WAVES = 3
_WARM = 60
_IDLE = float(os.environ.get("KEYSTROKE_BENCH_SECONDS", "20"))
_AHEAD = 2_000_000
_PATIENCE = 120.0
_MICROS = 1_000_000
_PROJECT = {
    "marks.py": """
        from pathlib import Path

        def mark(line: str) -> None:
            with (Path(__file__).parent / "awake").open("a") as file:
                file.write(line + "\\n")
    """,
    "workflows/naps.py": """
        from keystroke import Context, workflow
        from marks import mark


        @workflow("nap")
        def nap(ctx: Context, duration: str) -> str:
            ctx.sleep(duration)
            mark(ctx.run_id)
            return duration
    """,
}
#: What the timeline of each has in the end.
_TIMELINE = Counter(create=1, claim=2, sleep=1, due=1, complete=1)

_SOON = Sql("select {now} + :ahead")
_DUE_AT = Sql("update runs set due_at = :at where id {in:ids} and status = 'sleeping'")
_STEPS_DUE_AT = Sql("update steps set due_at = :at where run_id {in:ids} and status = 'running'")
_ENDED = Sql("select count(*) from runs where id {in:ids} and status = 'success'")
_MOVES = Sql("select run_id, transition, at, attempt from transitions where run_id {in:ids}")
_LEFT = Sql("select count(*) from runs where status = 'sleeping' and attempt = 1")


@dataclass
class Sleepers:
    """A fleet, and its parts by name: the ids of each one's main processes."""

    fleet: WorkerFleet
    parts: Mapping[str, list[int]]

    @property
    def awake(self) -> list[str]:
        """The ids of the runs whose code went on after its sleep, as often as it did."""
        return self.fleet.marks("awake")


@pytest.fixture
def sleepers(
    request: pytest.FixtureRequest, fleet_settings: Settings, valkey_server: Valkey, processes: Processes,
    tmp_path: Path,
) -> Iterator[Sleepers]:  # fmt: skip
    """One worker of two children and two beats, ready."""
    settings = replace(fleet_settings, project="shop", organization="acme", concurrency=2, log_format="json")
    directory = write_project(tmp_path / "shop", _PROJECT)
    with (
        closing(Database.from_settings(settings)) as database,
        closing(Wakeups(settings)) as wakeups,
        closing(Control(settings)) as control,
    ):
        fleet = WorkerFleet(settings, database, processes, directory, wakeups, control)
        beats = [processes.keystroke("beat", settings=settings) for _ in range(2)]
        for beat in beats:
            beat.wait_for("beat_started", 60)
        worker = fleet.start_worker()
        yield Sleepers(fleet, _parts(request, database, valkey_server, worker, beats))


def _parts(
    request: pytest.FixtureRequest, database: Database, valkey: Valkey, worker: Started, beats: list[Started]
) -> dict[str, list[int]]:
    assert valkey.process is not None
    parts = {"worker": [worker.pid], "beats": [beat.pid for beat in beats], "broker": [valkey.process.pid]}
    if database.backend == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        assert server.process is not None
        parts["postgresql"] = [server.process.pid]
    return parts


def measure_sleeping_fleet(sleepers: Sleepers) -> None:
    """Print the figures of one database."""
    fleet = sleepers.fleet
    print(f"\n{fleet.database.backend}, {_RUNS:,} sleeping runs; load {os.getloadavg()[0]:.1f}")
    warm_up(sleepers)
    before = observe(sleepers.parts, _IDLE)
    asleep = fleet.start("nap", "30d")
    fleet.wait(asleep, "sleeping")
    began = time.perf_counter()
    ids = [asleep, *multiply(fleet.database, asleep, _RUNS - 1)]
    analyze(fleet.database)
    print(f"  put on record in {time.perf_counter() - began:.0f} s; then load {os.getloadavg()[0]:.1f}")
    compare(before, observe(sleepers.parts, _IDLE))
    stride = _RUNS // _DUE
    for number in range(_WAVES):
        wave(sleepers, ids[number::stride][:_DUE])
    with fleet.database.read() as tx:
        assert tx.value(_LEFT) == _RUNS - _WAVES * _DUE
    compare(before, observe(sleepers.parts, _IDLE / 4), "after that")


def warm_up(sleepers: Sleepers) -> None:
    """All that a process does for the first time is done: runs, sleeps, wakes."""
    fleet = sleepers.fleet
    for run_id in [fleet.start("nap", "100ms") for _ in range(_WARM)]:
        fleet.wait(run_id, "success")


def compare(before: dict[str, Footprint], after: dict[str, Footprint], when: str = "with them") -> None:
    """The table of memory and CPU."""
    print(f"  {'':<12}{'memory (PSS) MiB':>26}{'':8}{'private MiB':>20}{'CPU of a core':>22}")
    for name, was in before.items():
        now = after[name]
        print(
            f"  {name:<12}{was.pss:13.2f} ->{now.pss:10.2f}{now.pss / was.pss - 1:+8.1%}"
            f"{was.private:10.2f} ->{now.private:7.2f}{was.cpu:13.2%} ->{now.cpu:6.2%}  {when}"
        )


def wave(sleepers: Sleepers, ids: list[str]) -> None:
    """Make these due at one instant, and say when they were woken, claimed and ended, relative to it."""
    fleet, awake = sleepers.fleet, len(sleepers.awake)
    spent = {name: cpu_seconds(pids) for name, pids in sleepers.parts.items()}
    with fleet.database.transaction() as tx:
        at = int(tx.value(_SOON, {"ahead": _AHEAD}))
        assert tx.run(_DUE_AT, {"at": at, "ids": ids}) == len(ids)
        assert tx.run(_STEPS_DUE_AT, {"at": at, "ids": ids}) == len(ids)
    wait_until(lambda: len(sleepers.awake) >= awake + len(ids), _PATIENCE, what="all have gone on")
    wait_until(lambda: ended(fleet.database, ids) == len(ids), _PATIENCE, what="all have ended")
    assert Counter(sleepers.awake[awake:]) == Counter(ids), "each goes on once"
    times = moves(fleet.database, ids, at)
    words = [
        f"{name} {when[0]:.2f} to {when[-1]:.2f} s (half by {when[len(when) // 2]:.2f})"
        for name, when in times.items()
    ]
    used = [f"{name} {cpu_seconds(pids) - spent[name]:.1f}" for name, pids in sleepers.parts.items()]
    print(f"  {len(ids):,} due: {', '.join(words)}")
    print(f"    CPU s: {', '.join(used)}; load {os.getloadavg()[0]:.1f}")


def ended(database: Database, ids: list[str]) -> int:
    """How many have ended well."""
    with database.read() as tx:
        return int(tx.value(_ENDED, {"ids": ids}))


def moves(database: Database, ids: list[str], at: int) -> dict[str, list[float]]:
    """When they were woken, claimed and ended, sorted, in seconds after the instant; each of them once."""
    with database.read() as tx:
        rows = tx.rows(_MOVES, {"ids": ids})
    timelines: dict[str, Counter[str]] = {run_id: Counter() for run_id in ids}
    for row in rows:
        timelines[row.run_id][row.transition] += 1
    strange = {run_id: timeline for run_id, timeline in timelines.items() if timeline != _TIMELINE}
    assert not strange, f"lost, or executed twice: {strange}"
    names = {("due", 1): "woken", ("claim", 2): "started", ("complete", 2): "ended"}
    times: dict[str, list[float]] = {name: [] for name in names.values()}
    for row in rows:
        if name := names.get((row.transition, row.attempt)):
            times[name].append((row.at - at) / _MICROS)
    return {name: sorted(each) for name, each in times.items()}
