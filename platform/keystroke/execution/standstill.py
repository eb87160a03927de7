"""When all branches of an attempt wait: only then is the run suspended, so that their waits go on side by side.

As long as one of them executes something the others wait in place, and go on in place if their time comes first.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Final

from keystroke.execution.gate import Gate
from keystroke.execution.unwinding import Pause, Unwind

#: Turns of the event loop in which a task that can go on gets to its next call, through whatever awaits lie between.
_TURNS: Final = 30
#: Seconds that a workflow has for its clean-up before tasks that it has not left are left by themselves.
_MERCY: Final = 1.0
#: Seconds between looks at the gate: nothing can be raised into the threads of `ctx.map`.
_GLANCE: Final = 0.05


class TaskStandstill:
    """The branches of an asynchronous workflow: the tasks of its event loop."""

    def __init__(self, unwind: Unwind) -> None:
        """Nothing was begun yet."""
        self._unwind = unwind
        self._calls = 0
        self._begun = 0
        self._waiting: dict[asyncio.Future[None], Pause | None] = {}
        self._turns: list[tuple[int, int, asyncio.Future[None]]] = []
        self._places = itertools.count()
        self._looks = False
        self._stood = False

    def begin_call(self) -> None:
        """A durable call begins; it may wait."""
        self._calls += 1
        self._begun += 1

    def end_call(self) -> None:
        """The call has ended, however."""
        self._calls -= 1
        self._look()

    async def wait(self, pause: Pause | None, seconds: float | None) -> None:
        """Let others go on: for so many seconds, or until all wait. Then the workflow is left if there is a pause."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = pause
        self._look()
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            del self._waiting[waiting]
        if waiting.done() and pause is not None:
            self._unwind.leave(pause)

    async def wait_for_turn(self, turn: int) -> None:
        """Let others go on, until `give_turns` comes to this one, or until all wait."""
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._turns, (turn, next(self._places), waiting))
        self._waiting[waiting] = None
        self._look()
        try:
            await asyncio.wait({waiting})
        finally:
            del self._waiting[waiting]

    def give_turns(self, upto: int) -> None:
        """Let those go on whose turn it is by now."""
        while self._turns and self._turns[0][0] <= upto:
            waiting = heapq.heappop(self._turns)[-1]
            if not waiting.done():
                waiting.set_result(None)

    def _look(self) -> None:
        if not (self._looks or self._stood) and self._all_wait():
            self._looks = True
            asyncio.get_running_loop().call_soon(self._look_again, _TURNS, self._begun)

    def _look_again(self, turns: int, begun: int) -> None:
        """Tasks that are not in a call may be about to make one: they get their turns."""
        if not self._all_wait():
            self._looks = False
        elif begun != self._begun:
            asyncio.get_running_loop().call_soon(self._look_again, _TURNS, self._begun)
        elif turns:
            asyncio.get_running_loop().call_soon(self._look_again, turns - 1, begun)
        else:
            self._looks, self._stood = False, True
            self._stand_still()

    def _all_wait(self) -> bool:
        return bool(self._waiting) and self._calls == len(self._waiting)

    def _stand_still(self) -> None:
        pauses = [pause for pause in self._waiting.values() if pause is not None]
        if len(pauses) < len(self._waiting):
            # Some wait just for the others, and go on before all are left.
            self._release(lambda pause: pause is None)
            return
        self._unwind.suspend(pauses)
        # Tasks end with the root. Should that go on in spite of all, whom it waits for must not wait for ever.
        asyncio.get_running_loop().call_later(_MERCY, self._release)

    def _release(self, which: Callable[[Pause | None], bool] = lambda _: True) -> None:
        self._stood = False
        for waiting, pause in self._waiting.items():
            if which(pause) and not waiting.done():
                waiting.set_result(None)


class ThreadStandstill:
    """The branches of a workflow that is not asynchronous: its own thread, and the threads of `ctx.map`."""

    def __init__(self, unwind: Unwind, gate: Gate) -> None:
        """The attempt's own thread goes on."""
        self._unwind = unwind
        self._gate = gate
        self._going = 1
        self._waiting: list[Pause] = []
        self._changed = threading.Condition()

    def split(self, threads: int) -> Callable[[], None]:
        """The calling thread waits for so many others from here on; each of them calls what this gives when it ends."""
        left = threads
        with self._changed:
            self._going += threads - 1

        def ended() -> None:
            nonlocal left
            with self._changed:
                left -= 1
                # After the last one the thread that waited for them goes on in its place.
                if left:
                    self._going -= 1
                    self._look()

        return ended

    def wait(self, pause: Pause, seconds: float | None) -> None:
        """Let others go on: for so many seconds, or until all wait; then the workflow is left."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            self._going -= 1
            self._waiting.append(pause)
            self._look()
            try:
                while self._goes_on() and (until is None or time.monotonic() < until):
                    self._changed.wait(_GLANCE)
            finally:
                self._waiting.remove(pause)
                self._going += 1
        if not self._goes_on():
            self._unwind.leave(pause)

    def _goes_on(self) -> bool:
        return self._unwind.cause is None and self._gate.interruption is None

    def _look(self) -> None:
        if self._going == 0 and self._waiting:
            self._unwind.suspend(self._waiting)
            self._changed.notify_all()
