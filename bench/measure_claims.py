"""What a claim costs, alone and beside many queued runs that it is not to take: `KEYSTROKE_BENCH_RUNS`, 100,000.

Each case is a project of its own in one database; claims of all cases are timed in turns (A B C A B C ...), each with its
commit. What counts is the ratio of a median to that of the first case.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from dataclasses import replace

from keystroke.settings import Settings
from keystroke.store import Database, queues
from support.measuring import analyze, copies, start, timed
from support.starts import GREET, Stage, make_stage

_RUNS = int(os.environ.get("KEYSTROKE_BENCH_RUNS", "100000"))
_TURNS = int(os.environ.get("KEYSTROKE_BENCH_TURNS", "20"))
_CLAIMS = 20
_OTHER = replace(GREET, slug="other", queue="other")


def measure_claims(database: Database, settings: Settings) -> None:
    """Print the median and the 95th percentile of each case."""
    cases = dict(_cases(database, settings))
    analyze(database)
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(_TURNS):
        for name, stage in cases.items():
            start(stage, "greet", _CLAIMS)
            times[name] += [timed(lambda stage=stage: claimed(stage)) for _ in range(_CLAIMS)]
    print(f"\n{database.backend}, {_RUNS:,} queued runs: median (95th percentile) of a claim in ms")
    plain = statistics.median(next(iter(times.values())))
    for name, each in times.items():
        median = statistics.median(each)
        high = statistics.quantiles(each, n=20)[-1]
        print(f"  {name:<44} {median:7.2f} ({high:7.2f})  ratio {median / plain:.2f}")


def _cases(database: Database, settings: Settings) -> Iterator[tuple[str, Stage]]:
    yield "nothing else waits", _stage(database, settings, "empty")
    yield "nothing else waits, a worker of two queues", _of_both(_stage(database, settings, "two"))
    yield "they wait in a queue of other workers", _beside(_stage(database, settings, "elsewhere"), "other")
    paused = _beside(_stage(database, settings, "paused"), "other")
    with database.transaction() as tx:
        queues.set_paused(tx, paused.project, "other", paused=True)
    yield "they wait in a queue of its own, paused", _of_both(paused)
    yield "they wait in its own queue", _beside(_stage(database, settings, "own"), "greet")


def _stage(database: Database, settings: Settings, project: str) -> Stage:
    return make_stage(database, settings, GREET, _OTHER, project_slug=project)


def _beside(stage: Stage, workflow: str) -> Stage:
    [run_id] = start(stage, workflow, 1)
    copies(stage, run_id, _RUNS - 1)
    return stage


def _of_both(stage: Stage) -> Stage:
    return replace(stage, claimant=replace(stage.claimant, queues=("default", "other")))


def claimed(stage: Stage) -> None:
    """A claim that gets a run of its own queue."""
    lease = stage.claim()
    assert lease is not None
    assert lease.queue == "default"
