"""User code is left for a wait: its clean-up does nothing durable, and whoever swallows what leaves it is named."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keystroke.domain.outcome import Canceled, Completed, HandedBack, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepStatus
from keystroke.execution.gate import InterruptGate, Interruption
from support.attempts import MakeRig, Rig
from support.waiting import wait_until

LEAVING = """
    from contextlib import asynccontextmanager, contextmanager, suppress

    @action
    def note(text: str) -> str:
        CALLS.append(text)
        return text

    @contextmanager
    def lamp(ctx):
        note("on")
        try:
            yield
        finally:
            CALLS.append("plain")
            note("off")

    @workflow("in-block")
    def in_block(ctx: Context) -> str:
        with lamp(ctx):
            ctx.sleep("1h")
        return "done"

    @workflow("in-block-async")
    async def in_block_async(ctx: AsyncContext) -> str:
        with lamp(ctx):
            await ctx.sleep("1h")
        return "done"

    @workflow("in-generator")
    def in_generator(ctx: Context) -> list[str]:
        def naps():
            try:
                for number in range(2):
                    ctx.sleep("1h")
                    yield note(f"nap {number}")
            finally:
                note("risen")
        return list(naps())

    @workflow("caught")
    def caught(ctx: Context) -> str:
        try:
            ctx.sleep("1h")
        except BaseException:
            pass
        return "went on"

    @workflow("caught-async")
    async def caught_async(ctx: AsyncContext) -> str:
        try:
            await ctx.sleep("1h")
        except BaseException:
            pass
        return "went on"

    @workflow("returned")
    def returned(ctx: Context) -> str:
        try:
            ctx.sleep("1h")
        finally:
            return "went on"

    @workflow("returned-async")
    async def returned_async(ctx: AsyncContext) -> str:
        try:
            await ctx.sleep("1h")
        finally:
            return "went on"

    @workflow("suppressed")
    def suppressed(ctx: Context) -> str:
        with suppress(BaseException):
            ctx.sleep("1h")
        return "went on"

    @workflow("suppressed-async")
    async def suppressed_async(ctx: AsyncContext) -> str:
        with suppress(BaseException):
            await ctx.sleep("1h")
        return "went on"

    @workflow("suppressed-task")
    async def suppressed_task(ctx: AsyncContext) -> str:
        other = asyncio.create_task(ctx.sleep("2h"))
        with suppress(BaseException):
            await ctx.sleep("1h")
        with suppress(BaseException):
            await other
        return "went on"

    @workflow("suppressed-hook")
    def suppressed_hook(ctx: Context) -> str:
        hook = ctx.hook("approval")
        with suppress(BaseException):
            hook.wait()
        return "went on"
"""


@pytest.mark.parametrize("workflow", ["in-block", "in-block-async"])
def test_clean_up_does_nothing_durable_while_the_run_is_left(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(LEAVING)
    run_id = rig.start(workflow)
    assert isinstance(rig.attempt(), Suspended)
    assert rig.calls == ["on", "plain"]
    assert set(rig.steps(run_id)) == {"note#0", "sleep#0"}
    rig.advance(3601)
    assert rig.attempt() == Completed("done")
    assert rig.calls == ["on", "plain", "plain", "off"]


def test_a_generator_sleeps_too(make_rig: MakeRig) -> None:
    rig = make_rig(LEAVING)
    run = rig.run_through("in-generator")
    assert run.output == ["nap 0", "nap 1"]
    assert rig.calls == ["nap 0", "nap 1", "risen"]


@pytest.mark.parametrize("way", ["caught", "returned", "suppressed"])
@pytest.mark.parametrize("face", ["", "-async"])
def test_swallowing_a_sleep_fails_the_run_and_names_the_line(make_rig: MakeRig, way: str, face: str) -> None:
    rig = make_rig(LEAVING)
    run = rig.run_through(way + face)
    assert (run.status, run.status_reason, run.attempt) == (Status.FAILED, Reason.SUSPENSION_SWALLOWED, 1)
    assert run.error is not None
    assert run.error["stack"][0]["code"] == ("await " if face else "") + 'ctx.sleep("1h")'
    assert "workflows/flows.py:" in run.error["message"]


@pytest.mark.parametrize("workflow", ["suppressed-task", "suppressed-hook"])
def test_swallowing_in_other_ways_fails_the_run_too(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(LEAVING)
    assert rig.run_through(workflow).status_reason is Reason.SUSPENSION_SWALLOWED


CANCELED = """
    @action
    def clean(text: str) -> None:
        CALLS.append(text)

    @workflow("cleaning")
    def cleaning(ctx: Context) -> None:
        try:
            try:
                while True:
                    time.sleep(0.01)
                    CALLS.append("spin") if not CALLS else None
            finally:
                clean("before")
                ctx.sleep("1h")
                clean("never")
        finally:
            clean("after")

    @workflow("cleaning-async")
    async def cleaning_async(ctx: AsyncContext) -> None:
        try:
            try:
                CALLS.append("spin")
                await asyncio.sleep(60)
            finally:
                clean("before")
                await ctx.sleep("1h")
                clean("never")
        finally:
            clean("after")

    @action
    async def linger() -> str:
        CALLS.append("spin")
        await asyncio.sleep(60)
        return "over"

    @workflow("drained")
    async def drained(ctx: AsyncContext) -> None:
        await asyncio.gather(ctx.sleep("1h"), linger())
"""


@pytest.mark.parametrize("workflow", ["cleaning", "cleaning-async"])
def test_the_clean_up_of_a_canceled_run_does_not_sleep(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(CANCELED)
    run_id = rig.start(workflow)
    gate = InterruptGate()
    with _interrupted(rig, gate, Interruption.CANCEL):
        assert rig.attempt(gate=gate) == Canceled()
    assert rig.calls == ["spin", "before", "after"]
    assert "sleep#0" not in rig.steps(run_id)


def test_a_worker_that_drains_does_not_wait_for_a_branch_that_sleeps(make_rig: MakeRig) -> None:
    rig = make_rig(CANCELED)
    run_id = rig.start("drained")
    gate = InterruptGate()
    with _interrupted(rig, gate, Interruption.DRAIN):
        assert rig.attempt(gate=gate) == HandedBack()
    assert rig.steps(run_id)["0/sleep#0"].status is StepStatus.RUNNING


@contextmanager
def _interrupted(rig: Rig, gate: InterruptGate, interruption: Interruption) -> Iterator[None]:
    """Interrupt, as a worker does it by a signal, once the run's code has come to `spin`."""
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: gate.interrupt(interruption))

    def send() -> None:
        wait_until(lambda: "spin" in rig.calls, 20, what="it spins")
        os.kill(os.getpid(), signal.SIGUSR1)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
