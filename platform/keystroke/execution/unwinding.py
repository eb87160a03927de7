"""How user code is left before it has ended: a private BaseException, raised again by every durable call.

`except Exception` does not stop it, and an action in a `finally` does not run while it passes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from keystroke.domain.outcome import Failed, HandedBack
from keystroke.domain.states import Reason
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.execution.gate import Drained, Gate, Interruption, TimeIsUp
from keystroke.execution.time_limit import TimeLimit


class Unwinding(BaseException):
    """Leaves the user's code; never to be caught by it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The run is to rest: until `due`, or until one of `hooks` is answered or one of the groups of `children` has ended.

    The fields are those of `domain.outcome.Suspended`, with a time in place of a delay.
    """

    reason: Reason
    due: datetime | None = None
    hooks: tuple[str, ...] = ()
    children: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def beside(self, other: Pause) -> Pause:
        """The rest of a run of which one branch waits for this and another for that: the first that comes wakes it."""
        sooner = min(self, other, key=lambda pause: (pause.due is None, pause.due))
        hooks, children = self.hooks + other.hooks, self.children + other.children
        reason = Reason.HOOK if hooks else Reason.CHILD_RUNS if children else sooner.reason
        return Pause(reason, sooner.due, tuple(dict.fromkeys(hooks)), tuple(dict.fromkeys(children)))


Cause = Pause | HandedBack | Failed | DatabaseUnavailable | LeaseLost
#: Which cause stays when several arise at once: what makes the others pointless comes last.
_RANKS = (Pause, HandedBack, Failed, DatabaseUnavailable, LeaseLost)


class Unwind:
    """Why the user's code is being left, once it is; shared by all branches of an attempt."""

    def __init__(self, gate: Gate, limit: TimeLimit | None = None) -> None:
        """Nobody leaves yet. Without a limit the run has all the time in the world."""
        self.limit = limit or TimeLimit(None, timedelta(), time.monotonic)
        self.cause: Cause | None = None
        #: The exception raised last: its traceback ends where it was caught.
        self.last: Unwinding | None = None
        self._gate = gate
        self._lock = threading.Lock()
        self._watcher: Callable[[], None] | None = None

    def leave(self, cause: Cause) -> NoReturn:
        """Leave user code for this cause, or for a weightier one that is there already."""
        self.note(cause)
        self._raise()

    def note(self, cause: Cause) -> None:
        """Have the next durable call leave user code."""
        with self._lock:
            self.cause = _weightier(self.cause, cause)

    def suspend(self, pauses: Iterable[Pause]) -> None:
        """All branches wait: have user code left where it is awaited, or by the next durable call."""
        for pause in pauses:
            self.note(pause)
        if self._watcher is not None:
            self._watcher()

    def watch(self, watcher: Callable[[], None] | None) -> None:
        """Tell `watcher` when the run is to be suspended: asynchronous code is left at its root."""
        self._watcher = watcher

    def raised(self) -> Unwinding:
        """What is raised in user code to leave it."""
        self.last = Unwinding()
        return self.last

    def check(self) -> None:
        """The beginning of every durable call: raise again while user code is being left."""
        if self.cause is None:
            self._look_at_the_gate()
        if self.cause is not None:
            self._raise()

    def leave_if_failed(self) -> None:
        """Leave user code, if something has ended the run for good."""
        if isinstance(self.cause, Failed):
            self._raise()

    def _look_at_the_gate(self) -> None:
        asked = self._gate.interruption
        # Where nobody interrupts, or in a thread that cannot be, a call looks at the clock itself.
        if asked is Interruption.TIMEOUT or (asked is not Interruption.CANCEL and self.limit.is_over):
            self.note(self.limit.failure())
        elif asked is Interruption.DRAIN:
            self.note(HandedBack())

    def _raise(self) -> NoReturn:
        raise self.raised()


def _weightier(standing: Cause | None, new: Cause) -> Cause:
    if standing is None:
        return new
    if isinstance(standing, Pause) and isinstance(new, Pause):
        return standing.beside(new)
    return max(standing, new, key=lambda cause: _RANKS.index(type(cause)))


def is_unwinding(error: BaseException) -> bool:
    """Whether user code was left by Unwinding, perhaps inside of a group, or by what its clean-up raised meanwhile."""
    return any(isinstance(each, Unwinding | Drained | TimeIsUp) for each in _family(error))


def _family(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        pending += [near for near in (each.__cause__, each.__context__) if near is not None]
        pending += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
