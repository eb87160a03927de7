"""Which of several calls comes first is decided once: code that is executed again decides as it did before."""

from __future__ import annotations

from keystroke.domain.outcome import Completed, Suspended
from keystroke.operations.answer_hook import answer_by_token
from support.attempts import MakeRig

RACES = """
    @action
    def note(text: str) -> str:
        CALLS.append(text)
        return text

    @workflow("child")
    def child(ctx: Context) -> str:
        return "done"

    async def first(work, timer, ctx: AsyncContext) -> str:
        work, timer = asyncio.create_task(work), asyncio.create_task(timer)
        done, pending = await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return done, work, timer

    @workflow("in-time")
    async def in_time(ctx: AsyncContext) -> str:
        done, work, timer = await first(child.run(), ctx.sleep("1h"), ctx)
        said = note("late" if timer in done else "in time")
        await ctx.sleep("2h")
        return said

    @workflow("too-late")
    async def too_late(ctx: AsyncContext) -> str:
        done, work, timer = await first(child.run(), ctx.sleep("1h"), ctx)
        said = note("in time" if work in done else "late")
        await ctx.sleep("2h")
        await ctx.sleep("2h")
        return said

    @action
    async def slow(seconds: float) -> float:
        CALLS.append(seconds)
        await asyncio.sleep(seconds)
        return seconds

    @workflow("hedged")
    async def hedged(ctx: AsyncContext) -> list[str]:
        slower, faster = asyncio.create_task(slow(0.3)), asyncio.create_task(slow(0.01))
        done, _ = await asyncio.wait({slower, faster}, return_when=asyncio.FIRST_COMPLETED)
        said = note("both" if len(done) > 1 else "one")
        await slower
        await ctx.sleep("1h")
        return [said, note("end")]

    @workflow("asked")
    async def asked(ctx: AsyncContext) -> list[str]:
        hook = await ctx.hook("approval")
        answer, timer = asyncio.create_task(hook.wait()), asyncio.create_task(ctx.sleep("1h"))
        done, _ = await asyncio.wait({answer, timer}, return_when=asyncio.FIRST_COMPLETED)
        said = note("answered" if answer in done else "reminded")
        CALLS.append(hook.token)
        return [said, await answer]
"""


def test_a_time_that_comes_after_the_child_changes_nothing(make_rig: MakeRig) -> None:
    rig = make_rig(RACES)
    rig.start("in-time")
    assert isinstance(rig.attempt(), Suspended)
    assert rig.run_queued() == ["child", "in-time"]
    assert rig.calls == ["in time"]
    rig.advance(7201)
    assert rig.attempt() == Completed("in time")
    assert rig.calls == ["in time"]


def test_a_child_that_ends_after_the_time_changes_nothing(make_rig: MakeRig) -> None:
    rig = make_rig(RACES)
    run_id = rig.start("too-late")
    assert isinstance(rig.attempt(), Suspended)
    started = rig.claim()
    rig.advance(3601)
    late = rig.claim()
    assert late.run_id == run_id
    assert isinstance(rig.attempt(late), Suspended)
    assert rig.calls == ["late"]
    rig.attempt(started)
    for _ in range(2):
        rig.advance(7201)
        outcome = rig.attempt()
    assert outcome == Completed("late")
    assert rig.calls == ["late"]


def test_the_faster_of_two_steps_stays_the_faster(make_rig: MakeRig) -> None:
    rig = make_rig(RACES)
    rig.start("hedged")
    assert isinstance(rig.attempt(), Suspended)
    rig.advance(3601)
    assert rig.attempt() == Completed(["one", "end"])
    assert rig.calls == [0.3, 0.01, "one", "end"]


def test_an_answer_behind_the_reminder_is_taken_behind_it(make_rig: MakeRig) -> None:
    rig = make_rig(RACES)
    rig.start("asked")
    assert isinstance(rig.attempt(), Suspended)
    rig.advance(3601)
    assert isinstance(rig.attempt(), Suspended)
    answer_by_token(rig.database, rig.calls[-1], "yes", None, rig.settings, rig.stage.box)
    assert rig.attempt() == Completed(["reminded", "yes"])
