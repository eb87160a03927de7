"""The slots: what a worker's processes tell each other, however they die in between."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from keystroke import ids
from keystroke.execution.gate import Interruption
from keystroke_worker.interrupter import Interrupter
from keystroke_worker.slots import Attempt, Order, Slot, Slots
from support.waiting import wait_until


def an_attempt(number: int = 1) -> Attempt:
    return Attempt(ids.new_run_id(), number)


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[int]:
    """A process that does this work, killed at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_for_signals() -> None:
    while True:
        signal.pause()


def test_what_a_child_publishes_is_found_by_its_worker() -> None:
    slots, attempt = Slots(3), an_attempt(7)

    def child() -> None:
        slots[1].take(os.getpid())
        slots[1].publish(attempt)
        slots[1].set_working(True)
        wait_for_signals()

    with forked(child) as pid:
        slot = slots[1]
        wait_until(lambda: slot.working)
        assert slots.find(attempt) is slot
        assert (slot.pid, slot.idle) == (pid, False)
        assert slots.running() == [attempt]
    slot.clear()
    assert slots.running() == []


def test_the_worker_id_and_the_word_to_drain_reach_children() -> None:
    slots = Slots(1)
    slots.worker_id = "wrk_one"
    read, write = os.pipe()

    def child() -> None:
        while not slots.draining:
            pass
        os.write(write, slots.worker_id.encode())

    with forked(child):
        slots.worker_id = "wrk_two"
        slots.begin_draining()
        assert os.read(read, 100) == b"wrk_two"


def test_a_text_is_never_read_in_the_middle_of_its_write() -> None:
    slots, texts = Slots(1), ["a" * 30, "b" * 90]

    def child() -> None:
        while True:
            for text in texts:
                slots.worker_id = text

    slots.worker_id = texts[0]
    with forked(child):
        assert {slots.worker_id for _ in range(20_000)} <= set(texts)


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Slots(1).worker_id = "x" * 200


def test_a_slot_that_its_child_holds_is_not_free_and_its_death_frees_it() -> None:
    slots = Slots(2)

    def child() -> None:
        with slots[0].held():
            slots[0].take(os.getpid())
            wait_for_signals()

    def is_free(slot: Slot) -> bool:
        with slot.held_if_free() as held:
            return held

    with forked(child):
        wait_until(lambda: slots[0].pid)
        assert not is_free(slots[0])
        assert is_free(slots[1])
    assert is_free(slots[0])


def test_a_lock_is_not_inherited_by_what_user_code_forks() -> None:
    slots = Slots(1)
    grandchild, write = os.pipe()

    def child() -> None:
        with slots[0].held():
            pid = os.fork()
            if pid == 0:
                wait_for_signals()
            os.write(write, str(pid).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    with forked(child):
        pid = int(os.read(grandchild, 20))

        def is_free() -> bool:
            with slots[0].held_if_free() as held:
                return held

        wait_until(is_free)
        os.kill(pid, signal.SIGKILL)


def test_an_order_is_for_one_attempt_and_comes_with_a_signal() -> None:
    slots, attempt = Slots(1), an_attempt()
    read, write = os.pipe()

    def look(_number: int, _frame: object) -> None:
        os.write(write, repr(slots[0].order == Order(attempt, Interruption.CANCEL)).encode())

    def child() -> None:
        signal.signal(signal.SIGUSR1, look)
        slots[0].publish(attempt)
        slots[0].take(os.getpid())
        slots[0].publish(attempt)
        wait_for_signals()

    with forked(child):
        wait_until(lambda: slots[0].pid and slots.find(attempt))
        interrupter = Interrupter(slots)
        assert not interrupter.interrupt(an_attempt(), Interruption.CANCEL, 60)
        assert interrupter.interrupt(attempt, Interruption.CANCEL, 60)
        assert os.read(read, 10) == b"True"


class Stage:
    """An interrupter with a clock of the test's, and a child that takes every signal in its stride."""

    def __init__(self, slots: Slots) -> None:
        self.now = 0.0
        self.slots = slots
        self.interrupter = Interrupter(slots, clock=lambda: self.now)


@pytest.fixture
def deaf() -> Iterator[tuple[Stage, Attempt, int]]:
    slots, attempt = Slots(1), an_attempt()

    def child() -> None:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        slots[0].take(os.getpid())
        slots[0].publish(attempt)
        wait_for_signals()

    with forked(child) as pid:
        wait_until(lambda: slots.find(attempt))
        yield Stage(slots), attempt, pid


def ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def test_an_attempt_is_killed_once_its_grace_is_over(deaf: tuple[Stage, Attempt, int]) -> None:
    stage, attempt, pid = deaf
    stage.interrupter.interrupt(attempt, Interruption.CANCEL, 10)
    stage.now = 9.9
    stage.interrupter.enforce()
    assert not ended(pid)
    stage.now = 10
    stage.interrupter.enforce()
    wait_until(lambda: ended(pid))


def test_a_child_that_has_gone_on_to_another_attempt_is_left_alone(deaf: tuple[Stage, Attempt, int]) -> None:
    stage, attempt, pid = deaf
    stage.interrupter.interrupt(attempt, Interruption.CANCEL, 10)
    stage.slots[0].publish(an_attempt())
    stage.now = 20
    stage.interrupter.enforce()
    assert not ended(pid)


def test_asking_again_does_not_prolong_the_grace_and_a_cancel_outranks_a_drain(
    deaf: tuple[Stage, Attempt, int],
) -> None:
    stage, attempt, pid = deaf
    stage.interrupter.interrupt(attempt, Interruption.DRAIN, 10)
    stage.now = 5
    stage.interrupter.interrupt(attempt, Interruption.CANCEL, 10)
    assert stage.slots[0].order == Order(attempt, Interruption.CANCEL)
    stage.interrupter.interrupt(attempt, Interruption.DRAIN, 100)
    assert stage.slots[0].order == Order(attempt, Interruption.CANCEL)
    stage.now = 10
    stage.interrupter.enforce()
    wait_until(lambda: ended(pid))


def test_a_fork_waits_for_work_of_other_threads() -> None:
    from keystroke_worker.forks import no_fork

    inside, leave = threading.Event(), threading.Event()
    order: list[str] = []

    def work() -> None:
        with no_fork():
            inside.set()
            leave.wait()
            order.append("worked")

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        order.append("forked")
        os.waitpid(pid, 0)

    worker, forker = threading.Thread(target=work), threading.Thread(target=fork)
    worker.start()
    inside.wait()
    forker.start()
    leave.set()
    worker.join()
    forker.join()
    assert order == ["worked", "forked"]


def test_an_attempt_is_overdue_until_its_code_has_ended() -> None:
    slots, attempt = Slots(2), an_attempt()
    slot = slots[0]
    assert (slot.overdue, slot.worked.total_seconds()) == (None, 0)
    slot.publish(attempt)
    assert (slot.attempt, slot.overdue) == (attempt, None)
    slot.publish(attempt, 3600)
    assert (slot.attempt, slot.overdue) == (attempt, None)
    slot.publish(attempt, 0)
    assert slot.overdue == attempt
    assert 0 <= slot.worked.total_seconds() < 60
    slot.lift_limit()
    assert (slot.attempt, slot.overdue) == (attempt, None)
    slot.publish(None)
    slot.lift_limit()
    assert (slot.attempt, slot.overdue) == (None, None)


@pytest.mark.parametrize("lets_go", [True, False])
def test_what_let_go_is_not_killed_for_its_time_while_its_end_is_recorded(
    deaf: tuple[Stage, Attempt, int], lets_go: bool
) -> None:
    stage, attempt, pid = deaf
    stage.slots[0].publish(attempt, 0)
    stage.interrupter.interrupt(attempt, Interruption.TIMEOUT, 10)
    if lets_go:
        stage.slots[0].lift_limit()
    stage.now = 11
    stage.interrupter.enforce()
    if not lets_go:
        wait_until(lambda: ended(pid))
    assert ended(pid) is not lets_go
