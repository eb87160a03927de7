"""Runs the workflow's own function to its end, whatever that is: in this thread, or in an event loop of its own."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any

from keystroke.authoring.exceptions import RunCanceled
from keystroke.authoring.workflow import Workflow
from keystroke.execution.bodies import Raised, Returned, TryEnd
from keystroke.execution.boundary import Boundary
from keystroke.execution.branches import make_branch_task
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.unwinding import Pause, Unwind


def run_to_end(
    workflow: Workflow[..., Any], value: Any, context: Any, boundary: Boundary, gate: Gate, unwind: Unwind
) -> TryEnd:
    """What the function returned or raised; BaseException and SystemExit included."""
    try:
        if workflow.is_async:
            with asyncio.Runner() as runner:
                return Returned(runner.run(_root(workflow.invoke(value, context), gate, unwind)))
        return Returned(_run_here(workflow, value, context, boundary))
    except BaseException as error:  # noqa: BLE001 - whatever the author's code raises is how it ended
        return Raised(error)
    finally:
        boundary.come_back()


def _run_here(workflow: Workflow[..., Any], value: Any, context: Any, boundary: Boundary) -> Any:
    try:
        boundary.enter()
        return workflow.invoke(value, context)
    finally:
        boundary.come_back()


async def _root(body: Coroutine[Any, Any, Any], gate: Gate, unwind: Unwind) -> Any:
    """The root task: its tasks are branches, and an interruption or a suspension cancels it."""
    loop, root = asyncio.get_running_loop(), asyncio.current_task()
    assert root is not None
    loop.set_task_factory(make_branch_task)

    def cancel_root() -> None:
        loop.call_soon_threadsafe(root.cancel)

    def leave_root() -> None:
        # Into the root's own code it is raised.
        if asyncio.current_task() is not root:
            root.cancel()

    gate.watch(cancel_root)
    unwind.watch(leave_root)
    try:
        return await _told_why(body, gate, unwind)
    finally:
        unwind.watch(None)
        gate.watch(None)


@types.coroutine
def _told_why(body: Coroutine[Any, Any, Any], gate: Gate, unwind: Unwind) -> Generator[Any, Any, Any]:
    """Awaits the body; a cancellation arrives in it as what it is for.

    RunCanceled, once, where the run is canceled; Unwinding where all branches wait.
    """
    answer: Any = None
    error: BaseException | None = None
    told = False
    while True:
        try:
            asked = body.send(answer) if error is None else body.throw(error)
        except StopIteration as end:
            return end.value
        answer = error = None
        try:
            answer = yield asked
        except asyncio.CancelledError as canceled:
            tell = gate.interruption is Interruption.CANCEL and not told
            told = told or tell
            suspended = isinstance(unwind.cause, Pause)
            error = RunCanceled() if tell else unwind.raised() if suspended else canceled
        except BaseException as thrown:  # noqa: BLE001 - passed on to the body, as `yield from` does
            error = thrown
