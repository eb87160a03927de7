"""Trees of runs on a real fleet: whoever dies or is canceled, every run ends as it should, and no child is started twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import psutil
import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.run import Run
from keystroke.domain.states import Reason, Status
from keystroke.operations.cancel_run import cancel_run
from keystroke.store.lineage import list_children
from support.projects import write_project
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(240)

FAMILY = {
    "workflows/family.py": """
        import asyncio
        import os
        import time
        from pathlib import Path

        from keystroke import AsyncContext, ChildFailed, Context, action, workflow
        from marks import mark


        @action
        def hold_until(name: str) -> None:
            mark("held", f"{name} {os.getpid()}")
            while not (Path(__file__).parents[1] / f"release-{name}").exists():
                time.sleep(0.01)


        @workflow("leaf")
        def leaf(name: str, ctx: Context) -> str:
            mark("leaves", name)
            if name.startswith("held"):
                hold_until(name)
            return name.upper()


        @workflow("branch")
        def branch(name: str, ctx: Context) -> list[str]:
            return [leaf.run(f"{name}-{number}") for number in range(2)]


        @workflow("tree")
        async def tree(name: str, ctx: AsyncContext) -> list[list[str]]:
            return await asyncio.gather(branch.run(f"{name}-a"), branch.run(f"{name}-b"))


        @workflow("busy")
        def busy(name: str, ctx: Context) -> list[str]:
            handles = [leaf.start(f"{name}-{number}") for number in range(3)]
            hold_until(f"held-{name}")
            ctx.wait(handles)
            return [handle.result() for handle in handles]


        @workflow("waiting")
        def waiting(name: str, ctx: Context) -> str:
            other = leaf.start(f"held-{name}-detached", detached=True)
            mark("detached", f"{name} {other.run_id}")
            return leaf.run(f"held-{name}")


        @workflow("sorry")
        def sorry(told: dict) -> str:
            mark("sorry", told["run_id"])
            return told["error"]["message"]


        @workflow("failing", on_failure=sorry)
        def failing() -> None:
            raise ValueError("no stock")
    """
}


def _held(fleet: WorkerFleet, name: str) -> int:
    """The process that holds in that step by now; the last one, where it was taken over."""
    lines = wait_until(
        lambda: [line for line in fleet.marks("held") if line.startswith(f"{name} ")],
        PATIENCE,
        what=f"{name} holds",
    )
    return int(lines[-1].split()[1])


def _release(fleet: WorkerFleet, *names: str) -> None:
    for name in names:
        (fleet.directory / f"release-{name}").touch()


def _children(fleet: WorkerFleet, run_id: str) -> list[Run]:
    scope = fleet.scope
    with fleet.database.read() as tx:
        return list_children(scope, tx, run_id).runs


@pytest.mark.parametrize("worker_fleet", ["postgresql"], indirect=True)
def test_trees_of_runs(worker_fleet: WorkerFleet) -> None:
    """One fleet for all of it: starting one takes longer than any of its parts."""
    worker_fleet.settings = replace(worker_fleet.settings, concurrency=3)
    write_project(worker_fleet.directory, FAMILY)
    worker_fleet.start_worker(beat=True)
    _a_tree_gives_its_leaves_in_order(worker_fleet)
    _a_parent_that_is_killed_while_its_children_run_starts_none_again(worker_fleet)
    _a_child_that_is_killed_goes_on_and_its_parent_with_it(worker_fleet)
    _children_end_with_their_canceled_parent(worker_fleet)
    _what_was_left_by_whoever_canceled_is_found(worker_fleet)
    _a_failure_is_told(worker_fleet)


def _a_tree_gives_its_leaves_in_order(fleet: WorkerFleet) -> None:
    run_id = fleet.start("tree", "oak")
    run = fleet.wait(run_id, "success")
    assert run.output == [["OAK-A-0", "OAK-A-1"], ["OAK-B-0", "OAK-B-1"]]
    branches = _children(fleet, run_id)
    leaves = [leaf for branch in branches for leaf in _children(fleet, branch.id)]
    assert {leaf.root_run_id for leaf in leaves} == {run_id}
    assert {each.trace_id for each in [*branches, *leaves]} == {run.trace_id}
    assert Counter(line for line in fleet.marks("leaves") if line.startswith("oak")) == {
        f"oak-{branch}-{number}": 1 for branch in "ab" for number in range(2)
    }


def _a_parent_that_is_killed_while_its_children_run_starts_none_again(fleet: WorkerFleet) -> None:
    run_id = fleet.start("busy", "elm")
    pid = _held(fleet, "held-elm")
    wait_until(lambda: [run.status for run in _children(fleet, run_id)] == ["success"] * 3, PATIENCE)
    psutil.Process(pid).kill()
    _release(fleet, "held-elm")
    run = fleet.wait(run_id, "success")
    assert (run.output, run.recoveries) == (["ELM-0", "ELM-1", "ELM-2"], 1)
    assert len(_children(fleet, run_id)) == 3
    assert sum(line.startswith("elm") for line in fleet.marks("leaves")) == 3


def _a_child_that_is_killed_goes_on_and_its_parent_with_it(fleet: WorkerFleet) -> None:
    run_id = fleet.start("waiting", "fir")
    pid = _held(fleet, "held-fir")
    fleet.wait(run_id, "sleeping")
    assert fleet.run(run_id).status_reason is Reason.CHILD_RUNS
    psutil.Process(pid).kill()
    _release(fleet, "held-fir", "held-fir-detached")
    assert fleet.wait(run_id, "success").output == "HELD-FIR"
    assert [child.recoveries for child in _children(fleet, run_id) if child.id not in _detached(fleet)] == [1]


def _detached(fleet: WorkerFleet) -> set[str]:
    return {line.split()[1] for line in fleet.marks("detached")}


def _children_end_with_their_canceled_parent(fleet: WorkerFleet) -> None:
    run_id = fleet.start("waiting", "yew")
    _held(fleet, "held-yew")
    _held(fleet, "held-yew-detached")
    fleet.wait(run_id, "sleeping")
    fleet.cancel(run_id)
    _assert_ended_with_its_parent(fleet, run_id, "held-yew-detached")


def _what_was_left_by_whoever_canceled_is_found(fleet: WorkerFleet) -> None:
    """As if the API had died between the cancel and that of the children."""
    run_id = fleet.start("waiting", "ash")
    _held(fleet, "held-ash")
    _held(fleet, "held-ash-detached")
    fleet.wait(run_id, "sleeping")
    cancel_run(fleet.database, fleet.scope, run_id, LOCAL_OWNER, fleet.settings)
    _assert_ended_with_its_parent(fleet, run_id, "held-ash-detached")


def _assert_ended_with_its_parent(fleet: WorkerFleet, run_id: str, detached: str) -> None:
    assert fleet.run(run_id).status is Status.CANCELED
    going_on, child = sorted(_children(fleet, run_id), key=lambda run: run.id not in _detached(fleet))
    ended = fleet.wait(child.id, "canceled", 10)
    assert ended.status_reason is Reason.CANCELED_BY_PARENT
    assert fleet.run(going_on.id).status is Status.RUNNING
    _release(fleet, detached)
    fleet.wait(going_on.id, "success")


def _a_failure_is_told(fleet: WorkerFleet) -> None:
    run_id = fleet.start("failing")
    fleet.wait(run_id, "failed")
    [told] = _children(fleet, run_id)
    assert fleet.wait(told.id, "success").output == "no stock"
    assert fleet.marks("sorry") == [run_id]
