"""When all threads of an attempt wait: found whoever comes last, and never while one of them goes on."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from keystroke.domain.states import Reason
from keystroke.execution.gate import InterruptGate, Interruption, QuietGate
from keystroke.execution.standstill import ThreadStandstill
from keystroke.execution.unwinding import Pause, Unwind, Unwinding

SOON = Pause(Reason.SLEEP, datetime(2026, 11, 23, 1, tzinfo=UTC))
LATER = Pause(Reason.HOOK, datetime(2026, 11, 23, 2, tzinfo=UTC), ("hook_1",))


def test_the_only_thread_leaves_at_once() -> None:
    unwind = Unwind(QuietGate())
    with pytest.raises(Unwinding):
        ThreadStandstill(unwind, QuietGate()).wait(SOON, None)
    assert unwind.cause == SOON


def test_threads_wait_until_the_last_one_does_and_all_their_reasons_count() -> None:
    unwind = Unwind(QuietGate())
    standstill = ThreadStandstill(unwind, QuietGate())
    ended, go = standstill.split(3), threading.Event()

    def wait_for(pause: Pause) -> None:
        try:
            standstill.wait(pause, None)
        finally:
            ended()

    def work() -> None:
        go.wait(10)
        ended()

    with ThreadPoolExecutor(3) as pool:
        waiting: list[Future[None]] = [pool.submit(wait_for, SOON), pool.submit(wait_for, LATER)]
        working = pool.submit(work)
        with pytest.raises(TimeoutError):
            waiting[0].result(0.2)
        assert unwind.cause is None
        go.set()
        working.result(10)
        for each in waiting:
            with pytest.raises(Unwinding):
                each.result(10)
    assert unwind.cause == Pause(Reason.HOOK, SOON.due, ("hook_1",))


def test_a_thread_whose_time_comes_while_another_goes_on_goes_on_too() -> None:
    unwind = Unwind(QuietGate())
    standstill = ThreadStandstill(unwind, QuietGate())
    standstill.split(2)
    standstill.wait(SOON, 0.01)
    assert unwind.cause is None


def test_an_interruption_ends_the_waiting() -> None:
    gate = InterruptGate()
    unwind = Unwind(gate)
    standstill = ThreadStandstill(unwind, gate)
    standstill.split(2)
    gate.interrupt(Interruption.DRAIN)
    with pytest.raises(Unwinding):
        standstill.wait(SOON, None)
