"""The gate and the boundary: what may be raised where."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime, timedelta

import pytest

from keystroke.authoring.exceptions import RunCanceled
from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Failed, HandedBack
from keystroke.domain.states import Reason
from keystroke.errors import LeaseLost
from keystroke.execution.boundary import Boundary, TryTimedOut
from keystroke.execution.gate import Drained, InterruptGate, Interruption, QuietGate, TimeIsUp
from keystroke.execution.time_limit import TimeLimit
from keystroke.execution.unwinding import Pause, Unwind, Unwinding, is_unwinding

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BROKEN = Failed(Failure("E", "m"), Reason.NONDETERMINISM, counts=False)


def test_an_interruption_waits_for_user_code_and_is_raised_once() -> None:
    gate = InterruptGate()
    gate.interrupt(Interruption.CANCEL)
    assert gate.interruption is Interruption.CANCEL
    with pytest.raises(RunCanceled):
        gate.enter_user_code()
    gate.leave_user_code()
    gate.enter_user_code()
    gate.interrupt(Interruption.CANCEL)


def test_user_code_is_interrupted_at_once() -> None:
    gate = InterruptGate()
    gate.enter_user_code()
    with pytest.raises(Drained):
        gate.interrupt(Interruption.DRAIN)
    gate.leave_user_code()
    gate.interrupt(Interruption.CANCEL)
    gate.interrupt(Interruption.DRAIN)
    assert gate.interruption is Interruption.CANCEL
    with pytest.raises(RunCanceled):
        gate.enter_user_code()


def test_a_cancel_outranks_a_timeout_and_a_timeout_outranks_a_drain() -> None:
    gate = InterruptGate()
    asked: list[Interruption | None] = []
    for interruption in (
        Interruption.DRAIN,
        Interruption.TIMEOUT,
        Interruption.DRAIN,
        Interruption.CANCEL,
        Interruption.TIMEOUT,
    ):
        gate.interrupt(interruption)
        asked.append(gate.interruption)
    assert asked == [
        Interruption.DRAIN,
        Interruption.TIMEOUT,
        Interruption.TIMEOUT,
        Interruption.CANCEL,
        Interruption.CANCEL,
    ]


def test_a_run_out_of_time_is_left_at_once_and_at_every_durable_call() -> None:
    gate = InterruptGate()
    unwind = Unwind(gate, TimeLimit(timedelta(seconds=2), timedelta(seconds=1.5), lambda: 0.0))
    unwind.check()
    gate.enter_user_code()
    with pytest.raises(TimeIsUp):
        gate.interrupt(Interruption.TIMEOUT)
    with pytest.raises(Unwinding):
        unwind.check()
    assert isinstance(unwind.cause, Failed)
    assert (
        unwind.cause.failure.message == "The run worked for 1.5 s, all attempts together; its timeout is 2 s."
    )


def test_a_call_looks_at_the_clock_where_nobody_interrupts() -> None:
    clock = iter([0.0, 0.4, 0.6, 0.6])
    unwind = Unwind(QuietGate(), TimeLimit(timedelta(seconds=2), timedelta(seconds=1.5), lambda: next(clock)))
    unwind.check()
    with pytest.raises(Unwinding):
        unwind.check()
    assert isinstance(unwind.cause, Failed)
    assert (unwind.cause.reason, unwind.cause.counts) == (Reason.TIMEOUT, False)


def test_a_watcher_is_told_instead() -> None:
    gate, told = InterruptGate(), []
    gate.interrupt(Interruption.DRAIN)
    gate.watch(lambda: told.append(gate.interruption))
    gate.enter_user_code()
    gate.interrupt(Interruption.CANCEL)
    assert told == [Interruption.DRAIN, Interruption.CANCEL]


def test_an_alarm_rings_in_user_code_only() -> None:
    boundary = Boundary(QuietGate(), opens_gate=True)
    with boundary.alarm(timedelta(milliseconds=1)):
        # It rings outside of user code, where nothing is raised.
        while signal.getitimer(signal.ITIMER_REAL)[0] > 0:
            pass
        with pytest.raises(TryTimedOut):
            boundary.enter()
    boundary.leave()
    boundary.enter()


def test_other_threads_cross_the_boundary_without_effect() -> None:
    gate = InterruptGate()
    boundary = Boundary(gate, opens_gate=True)
    thread = threading.Thread(target=boundary.enter)
    thread.start()
    thread.join()
    gate.interrupt(Interruption.CANCEL)
    assert gate.interruption is Interruption.CANCEL


def test_every_durable_call_raises_again_while_user_code_is_left() -> None:
    unwind = Unwind(QuietGate())
    unwind.check()
    with pytest.raises(Unwinding):
        unwind.leave(Pause(Reason.RETRY_BACKOFF, NOON))
    for _ in range(2):
        with pytest.raises(Unwinding):
            unwind.check()


def test_the_earliest_pause_and_the_weightiest_cause_stay() -> None:
    unwind = Unwind(QuietGate())
    later, sooner = (Pause(Reason.RETRY_BACKOFF, NOON + timedelta(hours=hours)) for hours in (2, 1))
    for cause, expected in (
        (later, later),
        (sooner, sooner),
        (HandedBack(), HandedBack()),
        (later, HandedBack()),
    ):
        unwind.note(cause)
        assert unwind.cause == expected
    unwind.note(BROKEN)
    lost = LeaseLost(run_id="run_1", attempt=1)
    unwind.note(lost)
    unwind.note(sooner)
    assert unwind.cause is lost


def test_a_drain_leaves_at_the_next_durable_call() -> None:
    gate = InterruptGate()
    unwind = Unwind(gate)
    gate.interrupt(Interruption.DRAIN)
    with pytest.raises(Unwinding):
        unwind.check()
    assert unwind.cause == HandedBack()


def test_unwinding_is_found_in_groups_and_behind_what_clean_up_raised() -> None:
    def clean_up() -> None:
        try:
            raise Unwinding
        finally:
            raise KeyError

    with pytest.raises(KeyError) as caught:
        clean_up()
    assert is_unwinding(caught.value)
    assert is_unwinding(BaseExceptionGroup("tasks", [ValueError(), BaseExceptionGroup("inner", [Drained()])]))
    assert not is_unwinding(ValueError())
