"""A worker keeps to limits, goes on with who waits for a place, and ends when it is drained."""

from __future__ import annotations

from textwrap import dedent

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.operations.drain_worker import drain_worker
from keystroke.store import fleet
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)
_RUNS = 8
_WORKFLOW = """
    import time

    from keystroke import Concurrency, RateLimit, workflow
    from marks import mark

    @workflow("one-by-one", concurrency=Concurrency(1, key="{input}"))
    def one_by_one(name: str) -> str:
        mark("order", f"{name} begins")
        time.sleep(0.02)
        mark("order", f"{name} ends")
        return name

    @workflow("now-and-then", rate_limit=RateLimit(5, per="1s"))
    def now_and_then(number: int) -> float:
        return time.time()
"""


def test_runs_of_a_key_go_one_by_one_and_a_rate_is_kept(worker_fleet: WorkerFleet) -> None:
    (worker_fleet.directory / "workflows" / "limited.py").write_text(dedent(_WORKFLOW))
    worker = worker_fleet.start_worker(beat=True)
    limited = [worker_fleet.start("one-by-one", name) for _ in range(_RUNS) for name in ("ada", "bob")]
    paced = [worker_fleet.start("now-and-then", number) for number in range(_RUNS)]
    for run_id in (*limited, *paced):
        worker_fleet.wait(run_id, "success")

    for name in ("ada", "bob"):
        lines = [line for line in worker_fleet.marks("order") if line.startswith(name)]
        assert lines == [f"{name} begins", f"{name} ends"] * _RUNS
    began = sorted(worker_fleet.run(run_id).started_at for run_id in paced)  # type: ignore[type-var]
    for earlier, later in zip(began, began[5:], strict=False):
        assert (later - earlier).total_seconds() > 0.19, "five at once, then one each fifth of a second"

    with worker_fleet.database.read() as tx:
        [listed] = fleet.list_workers(worker_fleet.scope, tx)
    drain_worker(worker_fleet.database, worker_fleet.scope, LOCAL_OWNER, listed.id)
    assert worker.wait(PATIENCE) == 0
