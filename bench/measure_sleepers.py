"""Sleeping runs are rows: waking a thousand that are due in the same second, among `KEYSTROKE_BENCH_RUNS` (100,000) others.

Measured are the round of beat that queues them, the same round when nobody is due, and how long two claimers take to start them.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

from keystroke.operations.claim_run import claim_run
from keystroke.operations.wake_due import wake_due
from keystroke.store.sql import Sql
from support.measuring import analyze, copies, start, timed
from support.starts import Stage

_RUNS = int(os.environ.get("KEYSTROKE_BENCH_RUNS", "100000"))
_DUE = 1000
_TIMES = 5
_HOUR = 3_600_000_000
_SLEEP = Sql(
    "update runs set status = 'sleeping', due_at = {now} + :later, attempt = 1 where status = 'queued'"
)
_WAKE = Sql(
    "update runs set due_at = {now} where id in (select id from runs where status = 'sleeping' limit :due)"
)
_QUEUED = Sql("select count(*) from runs where status = 'queued'")


def measure_sleepers(stage: Stage) -> None:
    """Print the figures of one database."""
    [sleeper] = start(stage, "greet", 1)
    copies(stage, sleeper, _RUNS + _TIMES * _DUE - 1)
    with stage.database.transaction() as tx:
        tx.run(_SLEEP, {"later": _HOUR})
    analyze(stage.database)
    print(f"\n{stage.database.backend}, {_RUNS:,} sleeping runs")
    idle = sorted(timed(lambda: wake_due(stage.database)) for _ in range(20))
    print(f"  a round when nobody is due: {idle[10]:.2f} ms")
    for _ in range(_TIMES):
        with stage.database.transaction() as tx:
            tx.run(_WAKE, {"due": _DUE})
        woken = timed(lambda: wake_due(stage.database))
        with stage.database.read() as tx:
            assert tx.value(_QUEUED) == _DUE
        began = time.perf_counter()
        claimers = [threading.Thread(target=claim_all, args=(stage, slot)) for slot in range(2)]
        for claimer in claimers:
            claimer.start()
        for claimer in claimers:
            claimer.join()
        print(
            f"  {_DUE:,} due: queued in {woken:.0f} ms, started in {(time.perf_counter() - began) * 1000:.0f} ms more"
        )


def claim_all(stage: Stage, slot: int) -> None:
    """Claim until nothing is left."""
    claimant = replace(stage.claimant, slot=slot)
    while claim_run(stage.database, claimant) is not None:
        pass
