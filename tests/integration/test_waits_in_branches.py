"""Waits in branches: they go on side by side, and the run is suspended when all of its branches wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keystroke.domain.outcome import Completed, Outcome, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepStatus
from support.attempts import MakeRig, Rig

BRANCHES = """
    @action
    async def slow(seconds: float) -> str:
        CALLS.append("slow")
        await asyncio.sleep(seconds)
        return "slow"

    @action
    def note(text: str) -> str:
        CALLS.append(text)
        return text

    @action
    def rest(seconds: float) -> str:
        time.sleep(seconds)
        CALLS.append("rested")
        return "rested"

    async def nap(ctx: AsyncContext, hours: int) -> str:
        await ctx.sleep(hours * 3600)
        return note(f"after {hours}")

    async def steps(count: int) -> str:
        for number in range(count):
            await slow(0.01)
        return "stepped"

    @workflow("gathered")
    async def gathered(ctx: AsyncContext) -> list[str]:
        return await asyncio.gather(nap(ctx, 1), nap(ctx, 3), steps(3), nap(ctx, 2))

    @workflow("grouped")
    async def grouped(ctx: AsyncContext) -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in (nap(ctx, 1), nap(ctx, 3), steps(3), nap(ctx, 2))]
        return [task.result() for task in tasks]

    @workflow("kept")
    async def kept(ctx: AsyncContext) -> list[str]:
        return await asyncio.gather(nap(ctx, 1), nap(ctx, 3), steps(3), nap(ctx, 2), return_exceptions=True)

    @workflow("mapped-async")
    async def mapped_async(ctx: AsyncContext) -> list[str]:
        return await ctx.map(lambda hours: nap(ctx, hours), [1, 3, 2], concurrency=3)

    @workflow("mapped")
    def mapped(ctx: Context) -> list[str]:
        def nap(hours: int) -> str:
            ctx.sleep(hours * 3600)
            return note(f"after {hours}")
        return ctx.map(nap, [1, 3, 2], concurrency=3)

    @workflow("two-at-a-time")
    def two_at_a_time(ctx: Context) -> list[str]:
        def nap(hours: int) -> str:
            note(f"before {hours}")
            ctx.sleep(hours * 3600)
            return note(f"after {hours}")
        return ctx.map(nap, [1, 2, 3], concurrency=2)

    @workflow("two-at-a-time-async")
    async def two_at_a_time_async(ctx: AsyncContext) -> list[str]:
        async def nap(hours: int) -> str:
            note(f"before {hours}")
            await ctx.sleep(hours * 3600)
            return note(f"after {hours}")
        return await ctx.map(nap, [1, 2, 3], concurrency=2)

    @workflow("nested")
    def nested(ctx: Context) -> list[list[str]]:
        def nap(hours: int) -> str:
            ctx.sleep(hours * 3600)
            return note(f"after {hours}")
        def both(hours: int) -> list[str]:
            return ctx.map(nap, [hours, hours + 1], concurrency=2)
        return ctx.map(both, [1, 2], concurrency=2)

    @workflow("beside-work")
    async def beside_work(ctx: AsyncContext) -> list[str]:
        async def brief() -> str:
            await ctx.sleep(0.05)
            return note("woke in place")
        return await asyncio.gather(brief(), slow(0.4))

    @workflow("beside-work-in-threads")
    def beside_work_in_threads(ctx: Context) -> list[str]:
        def each(number: int) -> str:
            if number:
                return rest(0.5)
            ctx.sleep(0.05)
            return note("woke in place")
        return ctx.map(each, [0, 1], concurrency=2)

    @workflow("first-of-two")
    async def first_of_two(ctx: AsyncContext) -> str:
        hook = await ctx.hook("approval")
        answer, late = asyncio.create_task(hook.wait()), asyncio.create_task(ctx.sleep("1h"))
        done, pending = await asyncio.wait({answer, late}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return note("late" if late in done else "answered")
"""


def naps(rig: Rig, workflow: str) -> tuple[str, list[Outcome]]:
    """Attempt the run, moving the clock over its pauses, until it has ended."""
    run_id = rig.start(workflow)
    outcomes = [rig.attempt()]
    while isinstance(last := outcomes[-1], Suspended):
        assert last.delay is not None
        rig.advance(last.delay.total_seconds() + 1)
        outcomes.append(rig.attempt())
        assert len(outcomes) < 12
    return run_id, outcomes


@pytest.mark.parametrize("workflow", ["gathered", "grouped", "kept"])
def test_branches_sleep_side_by_side_while_others_work(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(BRANCHES)
    run_id, outcomes = naps(rig, workflow)
    assert outcomes[-1] == Completed(["after 1", "after 3", "stepped", "after 2"])
    assert rig.calls == ["slow", "slow", "slow", "after 1", "after 2", "after 3"]
    assert len(outcomes) == 4, "three hours in three suspensions, not six hours"
    assert [line.body for line in rig.logs(run_id)] == [], "nobody complains of a task that was left"
    first = outcomes[0]
    assert isinstance(first, Suspended)
    assert first.delay is not None
    assert timedelta(minutes=59) < first.delay <= timedelta(hours=1)


@pytest.mark.parametrize("workflow", ["mapped", "mapped-async"])
def test_items_of_a_map_sleep_side_by_side(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(BRANCHES)
    _, outcomes = naps(rig, workflow)
    assert outcomes[-1] == Completed(["after 1", "after 3", "after 2"])
    assert rig.calls == ["after 1", "after 2", "after 3"]
    assert len(outcomes) == 4


@pytest.mark.parametrize("workflow", ["two-at-a-time", "two-at-a-time-async"])
def test_an_item_that_sleeps_keeps_its_room(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(BRANCHES)
    _, outcomes = naps(rig, workflow)
    assert outcomes[-1] == Completed(["after 1", "after 2", "after 3"])
    assert sorted(rig.calls[:2]) == ["before 1", "before 2"]
    assert rig.calls[2:4] == ["after 1", "before 3"]
    assert sorted(rig.calls[4:]) == ["after 2", "after 3"]


def test_maps_in_maps_sleep_side_by_side(make_rig: MakeRig) -> None:
    rig = make_rig(BRANCHES)
    _, outcomes = naps(rig, "nested")
    assert outcomes[-1] == Completed([["after 1", "after 2"], ["after 2", "after 3"]])
    assert len(outcomes) == 4


@pytest.mark.parametrize("workflow", ["beside-work", "beside-work-in-threads"])
def test_a_sleep_that_is_over_before_another_branch_rests_goes_on_in_place(
    make_rig: MakeRig, workflow: str
) -> None:
    rig = make_rig(BRANCHES)
    rig.start(workflow)
    assert isinstance(rig.attempt(), Completed)
    assert "woke in place" in rig.calls
    assert rig.calls[-1] in ("rested", "woke in place")


def test_the_first_of_two_waits_decides(make_rig: MakeRig) -> None:
    rig = make_rig(BRANCHES)
    run_id = rig.start("first-of-two")
    both = rig.attempt()
    assert isinstance(both, Suspended)
    assert (both.reason, len(both.hooks)) == (Reason.HOOK, 1)
    assert both.delay is not None
    assert both.delay <= timedelta(hours=1)
    assert rig.run(run_id).status is Status.WAITING_ON_HOOK
    rig.advance(3601)
    assert rig.attempt() == Completed("late")
    assert rig.steps(run_id)["hook:approval#0"].status is StepStatus.RUNNING
