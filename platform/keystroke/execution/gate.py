"""The gate between user code and the platform: interruptions are raised only while user code runs.

An exception that landed in the middle of our own commit would leave the connection unusable. So every platform call
(a step's record, the capture of a print) leaves user code first and enters it again afterwards, and what arrived
meanwhile is raised at the entrance. Synchronous code is interrupted by an exception out of a signal handler;
asynchronous code by a watcher that cancels its root task, since an exception must not land in the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from keystroke.authoring.exceptions import RunCanceled

#: Told of an interruption, in the main thread, perhaps inside of a signal handler: it must neither raise nor wait.
Watcher = Callable[[], None]


class Interruption(StrEnum):
    """Why user code is interrupted."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    DRAIN = "drain"

    def outranks(self, other: Interruption | None) -> bool:
        """Whether this one holds although that one was asked for: a cancel before a timeout, a timeout before a drain."""
        ranks = list(Interruption)
        return other is None or ranks.index(self) < ranks.index(other)


class TimeIsUp(BaseException):
    """The run has worked for as long as it may: leaves the user's code, and the run ends."""


class Drained(BaseException):
    """The worker stops: leaves the user's code, so that another worker goes on from the recorded steps."""


class Gate(Protocol):
    """What an attempt needs of whoever may interrupt it. All calls come from the thread that runs the attempt."""

    @property
    def interruption(self) -> Interruption | None:
        """The interruption that was asked for, raised already or not; of several the weightiest."""

    def enter_user_code(self) -> None:
        """From here on an interruption may be raised; a pending one is raised now."""

    def leave_user_code(self) -> None:
        """From here on an interruption only waits. Leaving twice is harmless."""

    def watch(self, watcher: Watcher | None) -> None:
        """Tell `watcher` of interruptions instead of raising them, a pending one at once; None: raise them again."""


class InterruptGate:
    """A gate for one attempt; whoever interrupts calls `interrupt`, in the main thread: from a signal's handler."""

    def __init__(self) -> None:
        """Closed, and nothing asked for."""
        self.interruption: Interruption | None = None
        self._pending: Interruption | None = None
        self._inside = False
        self._watcher: Watcher | None = None

    def interrupt(self, interruption: Interruption) -> None:
        """Ask for an interruption, each at most once: raised here if user code runs, else at the next entrance."""
        if not interruption.outranks(self.interruption):
            return
        self.interruption = self._pending = interruption
        if self._watcher is not None:
            self._watcher()
        elif self._inside:
            self._raise_pending()

    def enter_user_code(self) -> None:
        """See Gate."""
        self._inside = True
        if self._watcher is None:
            self._raise_pending()

    def leave_user_code(self) -> None:
        """See Gate."""
        self._inside = False

    def watch(self, watcher: Watcher | None) -> None:
        """See Gate."""
        self._watcher = watcher
        if watcher is not None and self._pending is not None:
            watcher()

    def _raise_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is Interruption.CANCEL:
            raise RunCanceled
        if pending is Interruption.TIMEOUT:
            raise TimeIsUp
        if pending is Interruption.DRAIN:
            raise Drained


class QuietGate(InterruptGate):
    """A gate that nobody interrupts."""
