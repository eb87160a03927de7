"""The two ways to run what a step asks for: at once in this thread, or awaited in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from keystroke.authoring.action import Action
from keystroke.authoring.current import inside_action
from keystroke.execution.boundary import Boundary, TryTimedOut
from keystroke.execution.calls import StepCall
from keystroke.execution.current_step import CurrentStep, current_step
from keystroke.execution.gate import Gate
from keystroke.execution.journal import Journal
from keystroke.execution.spans import AttemptTrace
from keystroke.execution.standstill import TaskStandstill, ThreadStandstill
from keystroke.execution.unwinding import Pause, Unwind
from keystroke.execution.world import World

#: Seconds between looks at the gate where nothing can be raised into a wait (threads of `ctx.map`).
_GLANCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Returned:
    """A try's body returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """A try's body raised, whatever it was."""

    error: BaseException


TryEnd = Returned | Raised


@dataclass(frozen=True, slots=True)
class Try:
    """Ask: run the body once."""

    call: StepCall
    step: CurrentStep


@dataclass(frozen=True, slots=True)
class Rest:
    """Ask: wait in place for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Ask: let the steps that other branches are in come to their end, before the run is suspended."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Ask: let other branches come by what is on record before this event (see `Journal.turn_of`)."""

    event: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask: this branch waits. Leaves user code once all branches do; goes on where its time comes before that."""

    pause: Pause


Ask = Try | Rest | Settle | Turn | Wait
T = TypeVar("T")
#: What a step does, apart from how it waits: asks are yielded, the end of a try is sent back.
Story = Generator[Ask, TryEnd | None, T]


class Bodies:
    """Runs bodies in user code, and everything else outside of it."""

    def __init__(
        self,
        boundary: Boundary,
        gate: Gate,
        trace: AttemptTrace,
        world: World,
        unwind: Unwind,
        journal: Journal,
    ) -> None:
        """For one attempt."""
        self._journal = journal
        self._boundary = boundary
        self._gate = gate
        self._trace = trace
        self._world = world
        self._unwind = unwind
        self._tasks = TaskStandstill(unwind)
        journal.tell_turns(self._tasks.give_turns)
        #: Who of the threads waits.
        self.threads = ThreadStandstill(unwind, gate)

    def function_of(self, action: Action[..., Any]) -> Callable[..., Any]:
        """What a plain call of the action runs, inside of another one."""
        return self._world.body(action)

    def tell(self, story: Story[T]) -> T:
        """Go through a story in this thread."""
        answer: TryEnd | None = None
        while True:
            try:
                ask = story.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = self._do(ask)

    async def tell_async(self, story: Story[T]) -> T:
        """Go through a story in the event loop."""
        answer: TryEnd | None = None
        self._tasks.begin_call()
        try:
            while True:
                try:
                    ask = story.send(answer)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                answer = await self._do_async(ask)
        finally:
            self._tasks.end_call()

    def _do(self, ask: Ask) -> TryEnd | None:
        match ask:
            case Try():
                return self._run(ask)
            case Rest(seconds=seconds):
                self._sleep(seconds)
            case Settle() | Turn():
                pass  # code in one thread goes one way, and threads are told of each other's ends in order
            case Wait(pause=pause) if self._boundary.is_home():
                # No other thread goes on while this one does; nor can tasks, beside a sync action that wants a long pause.
                self._unwind.suspend([pause])
                self._unwind.leave(pause)
            case Wait(pause=pause):
                self.threads.wait(pause, self._seconds(pause))
        return None

    async def _do_async(self, ask: Ask) -> TryEnd | None:
        match ask:
            case Try():
                return await self._run_async(ask)
            case Rest(seconds=seconds):
                await self._world.rest_async(seconds)
            case Settle():
                await self._tasks.wait(None, None)
            case Turn(event=event):
                await self._take_turn(event)
            case Wait(pause=pause):
                await self._tasks.wait(pause, self._seconds(pause))
        return None

    async def _take_turn(self, event: int) -> None:
        journal = self._journal
        if journal.is_turn(event):
            return
        await self._tasks.wait_for_turn(event)
        if not journal.is_turn(event):
            # All wait, and nobody comes by what is missing.
            journal.forgo_turns()

    def _seconds(self, pause: Pause) -> float | None:
        return None if pause.due is None else max((pause.due - self._world.now()).total_seconds(), 0)

    def _run(self, asked: Try) -> TryEnd:
        timeout, began = asked.call.action.timeout, self._world.monotonic()
        try:
            with _in_step(asked.step), self._trace.current(asked.step.span_id), self._boundary.alarm(timeout):
                ended = self._in_user_code(asked.call)
        except TryTimedOut:
            self._boundary.leave()
            return Raised(_timed_out(asked.call, timeout))
        except BaseException as interruption:  # noqa: BLE001 - it came at the very end of the author's code
            self._boundary.leave()
            return Raised(interruption)
        # A thread of `ctx.map` cannot be interrupted; a try that took too long has failed there, too.
        late = timeout is not None and self._world.monotonic() - began > timeout.total_seconds()
        if late and isinstance(ended, Returned):
            return Raised(_timed_out(asked.call, timeout))
        return ended

    def _in_user_code(self, call: StepCall) -> TryEnd:
        """Caught before it passes a context manager of ours: those write to an exception, which may be frozen."""
        try:
            self._boundary.enter()
            return Returned(call.run_body(self._world.body))
        except TryTimedOut:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the author's code raises is how the try ended
            return Raised(error)
        finally:
            self._boundary.come_back()

    async def _run_async(self, asked: Try) -> TryEnd:
        with _in_step(asked.step), self._trace.current(asked.step.span_id):
            return await self._awaited_in_user_code(asked.call)

    async def _awaited_in_user_code(self, call: StepCall) -> TryEnd:
        timeout = call.action.timeout
        seconds = None if timeout is None else timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                return Returned(await call.run_body(self._world.body))
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the author's code raises is how the try ended
            timed_out = isinstance(error, TimeoutError) and limit.expired()
            return Raised(_timed_out(call, timeout) if timed_out else error)
        finally:
            self._boundary.come_back()

    def _sleep(self, seconds: float) -> None:
        """Interruptible: in the attempt's own thread by an exception, in others by looking at the gate."""
        if self._boundary.opens_here():
            self._boundary.enter()
            try:
                self._world.rest(seconds)
            finally:
                self._boundary.leave()
            return
        until = self._world.monotonic() + seconds
        while self._gate.interruption is None and (left := until - self._world.monotonic()) > 0:
            self._world.rest(min(left, _GLANCE))


@contextmanager
def _in_step(step: CurrentStep) -> Iterator[None]:
    """Actions called in here are plain calls, and what is said belongs to the step."""
    within, current = inside_action.set(True), current_step.set(step)
    try:
        yield
    finally:
        current_step.reset(current)
        inside_action.reset(within)


def _timed_out(call: StepCall, timeout: timedelta | None) -> TimeoutError:
    seconds = timeout.total_seconds() if timeout else 0
    return TimeoutError(f"{call.action.name} took longer than its timeout of {seconds:g} s")
