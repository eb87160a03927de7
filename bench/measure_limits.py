"""What the queued runs of one full key cost the claims of others: as many as `KEYSTROKE_BENCH_RUNS` (100,000), and none.

Claims of runs without limits are timed in turns, in a project where a key is full and in one where nothing else waits (A B A B
...); what counts is the ratio of the medians.
"""

from __future__ import annotations

import os
import statistics

import pytest

from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.limited import limited
from support.measuring import analyze, copies, start, timed
from support.starts import GREET, Stage, make_stage

_RUNS = int(os.environ.get("KEYSTROKE_BENCH_RUNS", "100000"))
_TURNS = 20
_CLAIMS = 20
_PARKED = Sql("select count(*) from runs where parked_on is not null")


@pytest.mark.parametrize("waiting", ["parked", "fresh"])
def measure_claims_beside_a_full_key(database: Database, settings: Settings, waiting: str) -> None:
    """Print the medians and their ratio; `fresh` runs come in all along, to be parked beside what is timed."""
    full = make_stage(database, settings, GREET, limited("full", 1))
    alone = make_stage(database, settings, GREET, project_slug="alone")
    start(full, "full", 1)
    assert full.claim() is not None
    [waits] = start(full, "full", 1)
    copies(full, waits, _RUNS - 1)
    print(f"\n{database.backend}, {_RUNS:,} queued runs of a full key, {waiting}")
    print(f"  first claim, which parks them: {timed(full.claim):.0f} ms")
    looks = 0
    while parked(full) < _RUNS:
        full.claim()
        looks += 1
    print(f"  all parked after {looks} more; a claim that finds nothing: {timed(full.claim):.1f} ms")
    if database.backend == "postgresql":
        compare(full, alone, waiting, "before the server has vacuumed")
    analyze(database)
    compare(full, alone, waiting, "after")


def compare(full: Stage, alone: Stage, waiting: str, when: str) -> None:
    """Time claims beside the full key and alone, in turns."""
    times: dict[str, list[float]] = {"full": [], "alone": []}
    for _ in range(_TURNS):
        if waiting == "fresh":
            start(full, "full", 10)
        for name, stage in (("full", full), ("alone", alone)):
            start(stage, "greet", _CLAIMS)
            times[name] += [timed(lambda stage=stage: claimed(stage)) for _ in range(_CLAIMS)]
    medians = {name: statistics.median(each) for name, each in times.items()}
    high = {name: statistics.quantiles(each, n=20)[-1] for name, each in times.items()}
    print(
        f"  {when}: claims of others, median (95th percentile) ms: {medians['full']:.2f} ({high['full']:.2f}) beside"
    )
    print(
        f"    them, {medians['alone']:.2f} ({high['alone']:.2f}) alone; ratio {medians['full'] / medians['alone']:.2f}"
    )


def claimed(stage: Stage) -> None:
    """A claim that gets a run."""
    assert stage.claim() is not None


def parked(stage: Stage) -> int:
    """How many runs are parked."""
    with stage.database.read() as tx:
        return int(tx.value(_PARKED))
