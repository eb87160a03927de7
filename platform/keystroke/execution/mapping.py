"""`ctx.map`: a branch for each item, in threads of a sync workflow or in tasks of an async one; results in order.

All items are gone through even when one fails; then the failure of the first in order is raised, on replay the same one.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from typing import Any, Final

from keystroke.authoring.current import inside_action
from keystroke.execution.branches import Branch, current_branch
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.standstill import ThreadStandstill
from keystroke.execution.unwinding import Unwind, is_unwinding

_GROUP: Final = "map"
_NOT_BEGUN: Final = "not begun: the run was interrupted"

Outcome = tuple[Any, BaseException | None]


class Mapping:
    """Goes through items for one attempt."""

    def __init__(
        self,
        unwind: Unwind,
        gate: Gate,
        threads: set[int],
        platform: Callable[[], AbstractContextManager[None]],
        standstill: ThreadStandstill,
    ) -> None:
        """`threads` are those in which actions may be called; `platform` leaves user code for a while."""
        self._standstill = standstill
        self._unwind = unwind
        self._gate = gate
        self._threads = threads
        self._platform = platform

    def in_threads(
        self, action: Callable[[Any], Any], items: Iterable[Any], concurrency: int, branch: Branch
    ) -> list[Any]:
        """Results in the order of the items; one at a time it needs no threads."""
        work = _work(items, concurrency, branch)
        if concurrency == 1 or len(work) <= 1:
            return self._results([_in_place(action, context, item) for context, item in work])
        with self._platform():
            outcomes = self._run_in_pool(action, work, concurrency)
        return self._results(outcomes)

    async def in_tasks(
        self, action: Callable[[Any], Any], items: Iterable[Any], concurrency: int, branch: Branch
    ) -> list[Any]:
        """The same in tasks of the running loop."""
        work = _work(items, concurrency, branch)
        room, loop = asyncio.Semaphore(concurrency), asyncio.get_running_loop()

        async def go_through(item: Any) -> Any:
            async with room:
                result = action(item)
                return await result if inspect.isawaitable(result) else result

        # Not by the loop's task factory: an item's branch is the map's, not the next task's.
        tasks = [asyncio.Task(go_through(item), loop=loop, context=context) for context, item in work]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return self._results([(each, each if isinstance(each, BaseException) else None) for each in ended])

    def _run_in_pool(
        self, action: Callable[[Any], Any], work: Sequence[tuple[Context, Any]], concurrency: int
    ) -> list[Outcome]:
        todo = deque(enumerate(work))
        outcomes: list[Outcome] = [(None, asyncio.CancelledError(_NOT_BEGUN)) for _ in work]
        count = min(concurrency, len(work))
        ended = self._standstill.split(count)

        def work_off() -> None:
            """One thread's part; it has its room in the pool until its item has ended, also while that waits."""
            self._threads.add(threading.get_ident())
            try:
                while todo and not self._stops(before):
                    at, (context, item) = todo.popleft()
                    outcomes[at] = _outcome_of(context, action, item)
            except IndexError:
                pass  # another thread took the last one
            finally:
                # The system gives its number to other threads later.
                self._threads.discard(threading.get_ident())
                ended()

        before = self._gate.interruption
        with ThreadPoolExecutor(count, "keystroke-map") as pool:
            for _ in range(count):
                pool.submit(work_off)
        return outcomes

    def _stops(self, before: Interruption | None) -> bool:
        """Whether no further item is begun."""
        return self._gate.interruption is not before or self._unwind.cause is not None

    def _results(self, outcomes: Sequence[Outcome]) -> list[Any]:
        if not inside_action.get():
            self._unwind.check()
        errors = [error for _, error in outcomes if error is not None]
        if errors:
            # Where one was left, code must not decide by the failure of another.
            raise min(errors, key=lambda error: not is_unwinding(error))
        return [result for result, _ in outcomes]


def _work(items: Iterable[Any], concurrency: int, branch: Branch) -> list[tuple[Context, Any]]:
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; it must be 1 or more")
    gathered = list(items)
    branches = branch.children(_GROUP, len(gathered))
    return [(_context_of(each), item) for each, item in zip(branches, gathered, strict=True)]


def _context_of(branch: Branch) -> Context:
    context = copy_context()
    context.run(current_branch.set, branch)
    return context


def _in_place(action: Callable[[Any], Any], context: Context, item: Any) -> Outcome:
    try:
        return context.run(action, item), None
    except Exception as error:  # noqa: BLE001 - the author's; raised in its turn, when all items are through
        return None, error


def _outcome_of(context: Context, action: Callable[[Any], Any], item: Any) -> Outcome:
    try:
        return context.run(action, item), None
    except BaseException as error:  # noqa: BLE001 - the author's, or what leaves the workflow; raised by `_results`
        return None, error
