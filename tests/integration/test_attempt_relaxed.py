"""Relaxed durability: records in groups, a little behind, always before anything that rests on them, and never lost silently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keystroke.authoring.project import load_project
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepStatus
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.execution import ledger
from keystroke.execution.attempt import AttemptResult, run_attempt
from keystroke.execution.gate import QuietGate
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.recover_runs import recover_attempt
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.attempts import PREAMBLE, Rig
from support.projects import write_project

FLOWS = """
    from datetime import timedelta

    HOOK = []

    @action
    def one(number: int) -> int:
        CALLS.append(number)
        for hook in HOOK:
            hook(number)
        return number

    @action(retries=1, backoff=Backoff(first="1h", longest="1h"))
    def away() -> None:
        raise ConnectionError("away")

    @action
    def large() -> str:
        return "x" * 3000

    @workflow("many", durability="relaxed")
    def many(count: int, ctx: Context) -> int:
        total = 0
        for number in range(count):
            total += one(number)
        return total

    @workflow("suspended", durability="relaxed")
    def suspended(ctx: Context) -> None:
        one(1)
        one(2)
        away()

    @workflow("spending", durability="relaxed")
    def spending(ctx: Context) -> None:
        one(1)
        ctx.usage.add("service", "s", cost="0.1")
        ctx.tags["seen"] = "yes"

    @workflow("waiting", durability="relaxed")
    def waiting(ctx: Context) -> None:
        one(1)
        ctx.hook("approval")
        one(2)
        suspended.start()
        one(3)
        ctx.sleep("1h")

    @workflow("too-large", durability="relaxed")
    def too_large() -> None:
        one(1)
        try:
            large()
        except Exception as error:
            CALLS.append(type(error).__name__)

    @workflow("mapped", durability="relaxed")
    def mapped(ctx: Context) -> int:
        return sum(ctx.map(one, range(40), concurrency=4))
"""
_EVENTS = Sql("select identity, event from steps where run_id = :run_id order by event")


@pytest.fixture
def rig(database: Database, settings: Settings, tmp_path: Path) -> Rig:
    """The workflows, on each database."""
    from textwrap import dedent

    directory = write_project(tmp_path / "project", {"workflows/flows.py": PREAMBLE + dedent(FLOWS)})
    return Rig(database, settings, load_project(directory))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the groups that were written outside of a finish."""
    sizes: list[int] = []
    write = ledger.record_steps

    def counted(database: Any, lease: Any, records: Any) -> None:
        sizes.append(len(records))
        write(database, lease, records)

    monkeypatch.setattr(ledger, "record_steps", counted)
    return sizes


def during(rig: Rig, at: int, do: Callable[[], None]) -> None:
    """Have this done in the body of the call with that number."""

    def hook(number: int) -> None:
        if number == at:
            do()

    function = rig.project.workflows["many"].function
    function.__globals__["HOOK"].append(hook)


def deferred(rig: Rig) -> tuple[Any, AttemptResult]:
    lease = rig.claim()
    result = run_attempt(
        rig.database, rig.project, lease, QuietGate(), rig.settings, rig.stage.box, defers=True
    )
    return lease, result


def events(rig: Rig, run_id: str) -> list[tuple[str, int]]:
    with rig.database.read() as tx:
        return [(row.identity, row.event) for row in tx.rows(_EVENTS, {"run_id": run_id})]


def test_records_are_written_in_groups_in_their_order(rig: Rig, written: list[int]) -> None:
    run = rig.run_through("many", 300)
    assert run.output == sum(range(300))
    assert sum(written) == 300
    assert len(written) < 150
    found = events(rig, run.id)
    assert [identity for identity, _ in found] == [f"one#{number}" for number in range(300)]
    numbers = [number for _, number in found]
    assert numbers == list(range(numbers[0], numbers[0] + 300)), "each its own number, none left out"


def test_branches_of_threads_are_all_on_record(rig: Rig) -> None:
    run = rig.run_through("mapped")
    assert run.output == sum(range(40))
    assert len(events(rig, run.id)) == 40


def test_the_last_group_and_what_was_said_are_written_with_the_end(rig: Rig, written: list[int]) -> None:
    run_id = rig.start("many", 3)
    lease, result = deferred(rig)
    assert sum(written) + len(result.last.steps) == 3
    assert result.last.spans
    assert rig.spans(run_id) == []
    finished = finish_attempt(
        rig.database, lease, result.outcome, result.active, rig.settings, None, last=result.last
    )
    assert finished.status is Status.SUCCESS
    assert len(rig.steps(run_id)) == 3
    assert len(rig.spans(run_id)) == len(result.last.spans)
    # The answer of that commit was lost, and the end is recorded once more.
    again = finish_attempt(
        rig.database, lease, result.outcome, result.active, rig.settings, None, last=result.last
    )
    assert (again.won, again.status) == (True, Status.SUCCESS)
    assert len(rig.spans(run_id)) == len(result.last.spans)


def test_an_end_whose_last_records_come_too_late_changes_nothing(rig: Rig) -> None:
    run_id = rig.start("many", 2)
    lease, result = deferred(rig)
    assert result.last.steps
    recover_attempt(rig.database, run_id, lease.attempt, rig.settings)
    finished = finish_attempt(
        rig.database, lease, result.outcome, result.active, rig.settings, None, last=result.last
    )
    assert (finished.won, rig.run(run_id).status) == (False, Status.QUEUED)
    rig.attempt()
    assert rig.run(run_id).output == 1


def test_a_trace_that_cannot_be_written_costs_no_end(rig: Rig) -> None:
    run_id = rig.start("many", 2)
    lease, result = deferred(rig)
    broken = replace(result.last.spans[0], attributes={"unwritable": object()})
    finished = finish_attempt(
        rig.database, lease, result.outcome, result.active, rig.settings, None,
        last=replace(result.last, spans=(broken,)),
    )  # fmt: skip
    assert finished.status is Status.SUCCESS
    assert len(rig.steps(run_id)) == 2


@pytest.mark.parametrize("workflow", ["suspended", "spending", "waiting"])
def test_everything_is_on_record_before_what_rests_on_it(rig: Rig, written: list[int], workflow: str) -> None:
    run_id = rig.start(workflow)
    rig.attempt()
    identities = [identity for identity, _ in events(rig, run_id)]
    expected = {
        "suspended": ["one#0", "one#1", "away#0"],
        "spending": ["one#0", "usage.add#0"],
        "waiting": ["one#0", "hook:approval#0", "one#1", "run:suspended#0", "one#2", "sleep#0"],
    }
    assert identities == expected[workflow]
    assert written


def test_a_result_that_is_too_large_fails_at_its_call(rig: Rig) -> None:
    rig.settings = replace(rig.settings, payload_limit=2000)
    run = rig.run_through("too-large")
    assert run.status == "success"
    assert rig.calls == [1, "ActionFailed"]
    assert rig.steps(run.id)["large#0"].status is StepStatus.FAILED


def test_a_lost_lease_is_noticed_at_the_next_durable_call(rig: Rig) -> None:
    run_id = rig.start("many", 2000)
    lease = rig.claim()
    during(rig, 10, lambda: recover_attempt(rig.database, run_id, lease.attempt, rig.settings) and None)
    with pytest.raises(LeaseLost):
        rig.attempt(lease)
    assert len(rig.calls) < 2000
    identities = [identity for identity, _ in events(rig, run_id)]
    assert identities == [f"one#{number}" for number in range(len(identities))], (
        "nothing before it is missing"
    )
    rig.calls.clear()
    rig.attempt()
    assert rig.run(run_id).output == sum(range(2000))
    assert rig.calls == list(range(len(identities), 2000)), "what is on record is not executed again"


@pytest.mark.parametrize("committed", [True, False])
def test_a_database_that_was_away_loses_and_repeats_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    write, failures = ledger.record_steps, iter([True, True, False, True])

    def flaky(database: Any, lease: Any, records: Any) -> None:
        fails = next(failures, False)
        if committed or not fails:
            write(database, lease, records)
        if fails:
            raise DatabaseUnavailable(why="the connection broke")

    monkeypatch.setattr(ledger, "record_steps", flaky)
    run = rig.run_through("many", 400)
    assert run.output == sum(range(400))
    assert rig.calls == list(range(400))
    assert len(events(rig, run.id)) == 400


def test_what_a_write_fails_with_is_raised_in_the_attempt(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(database: Any, lease: Any, records: Any) -> None:
        raise ArithmeticError("no such thing")

    monkeypatch.setattr(ledger, "record_steps", broken)
    run = rig.run_through("many", 1000)
    assert (run.status, run.status_reason) == ("failed", Reason.USER_ERROR)
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("ArithmeticError", "no such thing")
    assert len(rig.calls) < 1000
