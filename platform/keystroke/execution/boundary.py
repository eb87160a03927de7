"""The boundary between user code and the platform in the thread that runs an attempt, and the alarm of a step's timeout.

Nested: the workflow's code calls an action (platform), whose body (user code) prints (platform). Other threads
(`ctx.map`, the flusher) cross without effect: nothing can be raised in them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from keystroke.execution.gate import Gate


class TryTimedOut(BaseException):
    """A try of an action took longer than its timeout: leaves the action's body."""


class Boundary:
    """Tells the gate when user code runs. `opens_gate` is False for asynchronous code, which is interrupted otherwise."""

    def __init__(self, gate: Gate, *, opens_gate: bool) -> None:
        """The current thread is the one that runs the attempt; platform code runs now."""
        self._gate = gate
        self._opens_gate = opens_gate
        self._thread = threading.get_ident()
        self._pid = os.getpid()
        self._inside = False
        self._rings = False

    def is_home(self) -> bool:
        """Whether this is the thread that runs the attempt."""
        return threading.get_ident() == self._thread

    def opens_here(self) -> bool:
        """Whether what is raised by the gate can arrive in this thread."""
        return self._opens_gate and self.is_home()

    def enter(self) -> None:
        """User code runs from here on; what is pending is raised now, and counts as raised in user code."""
        if not self.is_home():
            return
        self._inside = True
        self._answer_alarm()
        if self._opens_gate:
            self._gate.enter_user_code()

    def leave(self) -> bool:
        """Platform code runs from here on. Whether user code ran; harmless when it did not."""
        if not self.is_home():
            return False
        if self._opens_gate:
            self._gate.leave_user_code()
        before, self._inside = self._inside, False
        return before

    def come_back(self) -> None:
        """User code has ended: `leave`. A process that it forked and let run on ends here, the attempt is not its."""
        if os.getpid() != self._pid:
            os._exit(os.EX_SOFTWARE)
        self.leave()

    @contextmanager
    def platform(self) -> Iterator[None]:
        """Leave user code, if it runs, and enter it again."""
        inside = self.leave()
        try:
            yield
        finally:
            if inside:
                self.enter()

    @contextmanager
    def plain_code(self) -> Iterator[None]:
        """What runs now is no asynchronous code, whatever comes after it: what is raised by the gate arrives in it."""
        before, self._opens_gate = self._opens_gate, True
        try:
            yield
        finally:
            self._opens_gate = before

    @contextmanager
    def alarm(self, timeout: timedelta | None) -> Iterator[None]:
        """Raise TryTimedOut in user code once the time is over; only the main thread's can be interrupted."""
        if timeout is None or threading.current_thread() is not threading.main_thread() or not self.is_home():
            yield
            return
        before, began = signal.signal(signal.SIGALRM, self._ring), time.monotonic()
        left, again = signal.setitimer(signal.ITIMER_REAL, max(timeout.total_seconds(), 1e-6))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self._rings = False
            if left:
                # Somebody else's alarm, as in a test with a timeout of its own.
                signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 1e-6), again)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        self._rings = True
        self._answer_alarm()

    def _answer_alarm(self) -> None:
        if self._rings and self._inside:
            self._rings = False
            raise TryTimedOut
