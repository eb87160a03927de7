"""A worker keeps to limits, goes on with who waits for a place, and ends when it is drained."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.operations.drain_worker import drain_worker
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.store import access, fleet, sources
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)
_RUNS = 8
_WORKFLOW = """
    import time

    from keystroke import Concurrency, RateLimit, webhook, workflow
    from keystroke.verify import open_endpoint
    from marks import mark

    @workflow("one-by-one", concurrency=Concurrency(1, key="{input}"))
    def one_by_one(name: str) -> str:
        mark("order", f"{name} begins")
        time.sleep(0.02)
        mark("order", f"{name} ends")
        return name

    def name_of(payload: dict) -> str:
        mark("transforms", payload["name"])
        return payload["name"]

    named = webhook("named", "named", verify=open_endpoint()).attach(one_by_one, transform=name_of)

    @workflow("now-and-then", rate_limit=RateLimit(5, per="1s"))
    def now_and_then(number: int) -> float:
        return time.time()
"""


def _post(worker_fleet: WorkerFleet, name: str) -> str:
    """A run behind a transform, as a delivery starts it."""
    with worker_fleet.database.transaction() as tx:
        project = access.get_project(worker_fleet.scope, tx, worker_fleet.settings.project)
        source = sources.of_slug(tx, project.id, "named")
        assert source is not None
        wanted = wishes(source, {"name": name})
        (started,) = start_attached(tx, project, SourceEvent("dlv_1"), wanted, worker_fleet.settings, None)
    worker_fleet.wakeups.wake_all(started.woken)
    return started.run_id


def test_runs_of_a_key_go_one_by_one_and_a_rate_is_kept(worker_fleet: WorkerFleet, tmp_path: Path) -> None:
    (worker_fleet.directory / "workflows" / "limited.py").write_text(dedent(_WORKFLOW))
    # The first child that puts a run back to the queue dies with that, in the middle of its commit.
    died = tmp_path / "died"
    worker = worker_fleet.start_worker(beat=True, KEYSTROKE_CRASH_AT=f"attempt-ending:{died}")
    posted = [_post(worker_fleet, name) for _ in range(2) for name in ("ada", "bob")]
    limited = [worker_fleet.start("one-by-one", name) for _ in range(_RUNS) for name in ("ada", "bob")]
    paced = [worker_fleet.start("now-and-then", number) for number in range(_RUNS)]
    for run_id in (*posted, *limited, *paced):
        worker_fleet.wait(run_id, "success")
    assert died.exists()
    assert sorted(worker_fleet.marks("transforms")) == ["ada", "ada", "bob", "bob"], "each is executed once"

    for name in ("ada", "bob"):
        lines = [line for line in worker_fleet.marks("order") if line.startswith(name)]
        assert lines == [f"{name} begins", f"{name} ends"] * (_RUNS + 2)
    began = sorted(worker_fleet.run(run_id).started_at for run_id in paced)  # type: ignore[type-var]
    for earlier, later in zip(began, began[5:], strict=False):
        assert (later - earlier).total_seconds() > 0.19, "five at once, then one each fifth of a second"

    with worker_fleet.database.read() as tx:
        [listed] = fleet.list_workers(worker_fleet.scope, tx)
    drain_worker(worker_fleet.database, worker_fleet.scope, LOCAL_OWNER, listed.id)
    assert worker.wait(PATIENCE) == 0
