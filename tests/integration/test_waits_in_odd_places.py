"""Waits behind everything that asyncio puts between a call and the workflow: the run is left, and nobody complains."""

from __future__ import annotations

import pytest

from keystroke.domain.outcome import Completed, Suspended
from support.attempts import MakeRig

ODD = """
    @action
    def note(text: str) -> str:
        CALLS.append(text)
        return text

    async def nap(ctx: AsyncContext, number: int = 0) -> str:
        await ctx.sleep(60 + number)
        return note(f"slept {number}")

    @workflow("wait-for")
    async def wait_for(ctx: AsyncContext) -> str:
        return await asyncio.wait_for(nap(ctx), 30)

    @workflow("shield")
    async def shield(ctx: AsyncContext) -> str:
        return await asyncio.shield(nap(ctx))

    @workflow("timeout")
    async def timeout(ctx: AsyncContext) -> str:
        async with asyncio.timeout(30):
            return await nap(ctx)

    @workflow("as-completed")
    async def as_completed(ctx: AsyncContext) -> str:
        tasks = [asyncio.create_task(nap(ctx, number)) for number in range(3)]
        return ", ".join([await each for each in asyncio.as_completed(tasks)])

    @workflow("wait")
    async def wait(ctx: AsyncContext) -> str:
        done, _ = await asyncio.wait([asyncio.create_task(nap(ctx, number)) for number in range(3)])
        return ", ".join(sorted(task.result() for task in done))

    @workflow("group-in-gather")
    async def group_in_gather(ctx: AsyncContext) -> str:
        async def grouped(first: int) -> str:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(nap(ctx, first + number)) for number in range(2)]
            return ", ".join(task.result() for task in tasks)
        return ", ".join(await asyncio.gather(grouped(0), grouped(2)))

    @workflow("semaphore")
    async def semaphore(ctx: AsyncContext) -> str:
        room = asyncio.Semaphore(1)
        async def one(number: int) -> str:
            async with room:
                return await nap(ctx, number)
        return ", ".join(await asyncio.gather(*(one(number) for number in range(3))))

    @workflow("queue")
    async def queue(ctx: AsyncContext) -> str:
        lines = asyncio.Queue()
        async def produce() -> None:
            for number in range(2):
                await lines.put(await nap(ctx, number))
        producer = asyncio.create_task(produce())
        got = [await lines.get() for _ in range(2)]
        await producer
        return ", ".join(got)

    @workflow("async-generator")
    async def async_generator(ctx: AsyncContext) -> str:
        async def naps():
            try:
                for number in range(2):
                    yield await nap(ctx, number)
            finally:
                CALLS.append("closed")
        return ", ".join([each async for each in naps()])

    @workflow("forgotten")
    async def forgotten(ctx: AsyncContext) -> str:
        task = asyncio.create_task(nap(ctx, 9))
        await asyncio.sleep(0)
        return await nap(ctx)

    @workflow("own-timer")
    async def own_timer(ctx: AsyncContext) -> str:
        async def busy() -> None:
            while True:
                await asyncio.sleep(0.001)
        task = asyncio.create_task(busy())
        slept = await nap(ctx)
        task.cancel()
        return slept

    @action(retries=1, backoff=Backoff(first="1h", factor=1, longest="1h"))
    def flaky() -> str:
        CALLS.append("flaky")
        if len(CALLS) == 1:
            raise ConnectionError
        return "slept 0"

    @workflow("sync-action")
    async def sync_action(ctx: AsyncContext) -> str:
        async def one() -> str:
            return flaky()
        return ", ".join(map(str, await asyncio.gather(one(), nap(ctx, 1), return_exceptions=True)))

    @workflow("awaited-clean-up")
    async def awaited_clean_up(ctx: AsyncContext) -> str:
        try:
            return await nap(ctx)
        finally:
            await asyncio.sleep(0.05)
            CALLS.append("closed")
"""
THREE = "slept 0, slept 1, slept 2"
EXPECTED = {
    "wait-for": ("slept 0", 2), "shield": ("slept 0", 2), "timeout": ("slept 0", 2), "as-completed": (THREE, 4),
    "wait": (THREE, 4), "group-in-gather": (f"{THREE}, slept 3", 5), "semaphore": (THREE, 4),
    "queue": ("slept 0, slept 1", 3), "async-generator": ("slept 0, slept 1", 3), "forgotten": ("slept 0", 2),
    "own-timer": ("slept 0", 2), "sync-action": ("slept 0, slept 1", 3), "awaited-clean-up": ("slept 0", 2),
}  # fmt: skip


@pytest.mark.parametrize("workflow", EXPECTED)
def test_a_wait_leaves_whatever_awaits_it(
    make_rig: MakeRig, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], workflow: str
) -> None:
    rig = make_rig(ODD)
    run_id = rig.start(workflow)
    expected, attempts = EXPECTED[workflow]
    outcomes = [rig.attempt()]
    while isinstance(last := outcomes[-1], Suspended):
        assert last.delay is not None
        rig.advance(last.delay.total_seconds() + 0.01)
        outcomes.append(rig.attempt())
    assert outcomes[-1] == Completed(expected)
    assert len(outcomes) == attempts
    assert rig.logs(run_id) == []
    assert caplog.text == ""
    assert "never" not in capfd.readouterr().err
