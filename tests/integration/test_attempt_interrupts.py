"""Interrupts: canceled, drained, timed out. Signals go to the test's own process, as a worker sends them to its child."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from keystroke.domain.outcome import Canceled, Completed, Failed, HandedBack, Outcome
from keystroke.domain.states import Reason
from keystroke.domain.step import StepStatus
from keystroke.execution.gate import InterruptGate, Interruption
from support.attempts import MakeRig, Rig

WAITING = """
    def reached(place: str) -> None:
        with open(os.environ["REACHED"], "w") as pipe:
            pipe.write(place)

    @action
    def wait() -> str:
        CALLS.append("wait")
        reached("wait")
        time.sleep(30)
        return "over"

    @action
    def clean() -> None:
        CALLS.append("clean")

    @workflow("waiting")
    def waiting() -> str:
        try:
            return wait()
        except Exception:
            return "swallowed"
        finally:
            clean()

    @workflow("stubborn")
    def stubborn() -> str:
        try:
            wait()
        except RunCanceled:
            return "went on"

    @action
    def wait_for(item: int) -> None:
        CALLS.append("wait")
        if len(CALLS) == 2:
            reached("wait")
        time.sleep(0.5)

    @workflow("mapped")
    def mapped(ctx: Context) -> None:
        try:
            ctx.map(wait_for, range(4), concurrency=2)
        finally:
            clean()

    @workflow("busy")
    def busy() -> None:
        reached("busy")
        while True:
            pass

    @action
    async def wait_async() -> str:
        CALLS.append("wait")
        reached("wait")
        await asyncio.sleep(30)

    @workflow("waiting-async")
    async def waiting_async() -> str:
        try:
            return (await asyncio.gather(wait_async(), asyncio.sleep(30)))[0]
        except RunCanceled:
            CALLS.append("canceled")
            raise
        finally:
            clean()
"""


@pytest.fixture
def interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Rig, str, Interruption], Outcome]:
    """Runs a workflow and interrupts it by a signal as soon as it says where it is."""
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    monkeypatch.setenv("REACHED", str(reached))

    def run(rig: Rig, workflow: str, interruption: Interruption) -> Outcome:
        gate = InterruptGate()
        rig.start(workflow)
        with _signals(lambda: gate.interrupt(interruption)):
            sender = threading.Thread(target=_send_when, args=(reached,))
            sender.start()
            outcome = rig.attempt(gate=gate)
            sender.join()
        return outcome

    return run


def _send_when(reached: Path) -> None:
    # Opening a pipe for reading waits until the workflow has opened it for writing.
    reached.read_text()
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def _signals(handle: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: handle())
    yield
    signal.signal(signal.SIGUSR1, before)


Interrupt = Callable[[Rig, str, Interruption], Outcome]


@pytest.mark.parametrize("workflow", ["waiting", "stubborn", "busy", "waiting-async"])
def test_a_canceled_run_ends_canceled_whatever_its_code_does(
    make_rig: MakeRig, interrupt: Interrupt, workflow: str
) -> None:
    rig = make_rig(WAITING)
    assert interrupt(rig, workflow, Interruption.CANCEL) == Canceled()
    cleaned = {"waiting": ["wait", "clean"], "stubborn": ["wait"], "busy": []}
    assert rig.calls == cleaned.get(workflow, ["wait", "canceled", "clean"])


def test_steps_of_a_canceled_run_are_on_record(make_rig: MakeRig, interrupt: Interrupt) -> None:
    rig = make_rig(WAITING)
    gate_run = interrupt(rig, "waiting", Interruption.CANCEL)
    assert gate_run == Canceled()
    with rig.database.read() as tx:
        from keystroke.domain.filters import Page, RunFilter
        from keystroke.store import history

        run_id = history.list_runs(rig.stage.scope, tx, RunFilter(), Page()).runs[0].id
    steps = rig.steps(run_id)
    assert steps["wait#0"].status is StepStatus.FAILED
    assert steps["clean#0"].status is StepStatus.SUCCESS


@pytest.mark.parametrize("workflow", ["waiting", "busy", "waiting-async"])
def test_a_drained_run_is_handed_back_without_clean_up_steps(
    make_rig: MakeRig, interrupt: Interrupt, workflow: str
) -> None:
    rig = make_rig(WAITING)
    assert interrupt(rig, workflow, Interruption.DRAIN) == HandedBack()
    assert "clean" not in rig.calls


@pytest.mark.parametrize("workflow", ["waiting", "busy", "waiting-async", "mapped"])
def test_a_run_out_of_time_fails_without_clean_up_steps(
    make_rig: MakeRig, interrupt: Interrupt, workflow: str
) -> None:
    rig = make_rig(WAITING)
    outcome = interrupt(rig, workflow, Interruption.TIMEOUT)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.counts, outcome.failure.retryable) == (Reason.TIMEOUT, False, False)
    begun = {"busy": [], "mapped": ["wait", "wait"]}
    assert rig.calls == begun.get(workflow, ["wait"]), "no clean-up, and no further item of a map"


BOUNDED = """
    @action
    def work(seconds: float) -> None:
        CALLS.append("work")
        time.sleep(seconds)

    @workflow("bounded", timeout="300ms", max_attempts=3)
    def bounded(ctx: Context) -> None:
        try:
            work(0.2)
            if ctx.attempt == 1:
                raise ConnectionError("away")
            work(0.2)
            work(0.2)
        finally:
            CALLS.append("finally")
"""


def test_suspended_time_does_not_count(make_rig: MakeRig) -> None:
    rig = make_rig("""
        @workflow("patient", timeout="5s")
        def patient(ctx: Context) -> str:
            ctx.sleep("1h")
            return "rested"
    """)
    assert rig.run_through("patient").output == "rested"


def test_the_attempts_of_a_run_share_its_time(make_rig: MakeRig) -> None:
    rig = make_rig(BOUNDED)
    run = rig.run_through("bounded")
    assert (run.status, run.status_reason, run.attempt, run.failures) == ("failed", Reason.TIMEOUT, 2, 2)
    assert run.error is not None
    assert run.error["type"] == "RunTimedOut"
    assert "its timeout is 0.3 s" in run.error["message"]
    # The third call found the time over; the second attempt had what the first one left.
    assert rig.calls == ["work", "finally", "work", "finally"]
    assert run.active_ms >= 300


def test_an_attempt_without_any_time_left_executes_nothing(make_rig: MakeRig) -> None:
    rig = make_rig(BOUNDED)
    run_id = rig.start("bounded")
    lease = rig.claim()
    assert lease.timeout is not None
    rig.attempt(replace(lease, active=lease.timeout))
    assert rig.run(run_id).status_reason is Reason.TIMEOUT
    assert rig.calls == []


def test_what_was_asked_for_before_user_code_ran_is_raised_at_its_entrance(make_rig: MakeRig) -> None:
    rig = make_rig(WAITING)
    for workflow in ("waiting", "waiting-async"):
        gate = InterruptGate()
        gate.interrupt(Interruption.CANCEL)
        rig.start(workflow)
        assert rig.attempt(gate=gate) == Canceled()
    assert "wait" not in rig.calls


def test_a_run_whose_cancel_is_on_record_is_not_executed(make_rig: MakeRig) -> None:
    rig = make_rig(WAITING)
    rig.start("waiting")
    assert rig.attempt(replace(rig.claim(), cancel_requested=True)) == Canceled()
    assert rig.calls == []


TIMED = """
    @action(timeout="50ms")
    def slow(seconds: float) -> str:
        CALLS.append("slow")
        try:
            time.sleep(seconds)
        except Exception:
            return "swallowed"
        return "in time"

    @action(timeout="50ms", retries=1, backoff=Backoff(first="1ms"))
    async def slow_async(seconds: float) -> str:
        CALLS.append("slow")
        await asyncio.sleep(seconds if len(CALLS) == 1 else 0)
        return "in time"

    @workflow("timed")
    def timed(seconds: float) -> str:
        return slow(seconds)

    @workflow("timed-async")
    async def timed_async(seconds: float) -> str:
        return await slow_async(seconds)

    @workflow("timed-mapped")
    def timed_mapped(seconds: float, ctx: Context) -> list[str]:
        return ctx.map(slow, [seconds, 0])
"""


def test_a_timeout_bounds_one_try(make_rig: MakeRig) -> None:
    rig = make_rig(TIMED)
    rig.start("timed", 30)
    outcome = rig.attempt()
    assert isinstance(outcome, Failed)
    assert (outcome.failure.type, outcome.failure.message) == (
        "TimeoutError", "slow took longer than its timeout of 0.05 s",
    )  # fmt: skip
    rig.start("timed", 0)
    assert rig.attempt() == Completed("in time")
    rig.calls.clear()
    rig.start("timed-async", 30)
    assert rig.attempt() == Completed("in time")
    assert rig.calls == ["slow", "slow"]
    rig.start("timed-mapped", 0.1)
    outcome = rig.attempt()
    assert isinstance(outcome, Failed)
    assert outcome.failure.type == "TimeoutError"


def test_a_map_begins_no_further_items_once_it_is_interrupted(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        import signal

        @action
        def interrupting(number: int) -> None:
            CALLS.append(number)
            if number == 0:
                os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.02)

        @workflow("mapping")
        def mapping(ctx: Context) -> None:
            ctx.map(interrupting, range(500), concurrency=2)
        """
    )
    gate = InterruptGate()
    rig.start("mapping")
    with _signals(lambda: gate.interrupt(Interruption.CANCEL)):
        assert rig.attempt(gate=gate) == Canceled()
    assert 0 < len(rig.calls) < 500
