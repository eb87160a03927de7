"""Branches: who calls whom inside a run, so that the order in which things finish cannot change an identity.

The body is the root branch; each asyncio task started in a run and each item of `ctx.map` is a branch with counters of
its own. A nested branch's path is its parent's, a dot, and its number: `1`, `1.0`, `map#0.2`, `1.map#0.2`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from datetime import datetime
from typing import Any

from keystroke.authoring.current import inside_action
from keystroke.domain.step import identity


class Branch:
    """One line of calls: counts each key's occurrences, and its children in the order of their creation.

    `now` is what `ctx.now()` said since the last record; children inherit it, since the next record may be theirs.
    """

    __slots__ = ("_counts", "_parent", "_tasks", "now", "path")

    def __init__(self, path: str = "", parent: Branch | None = None) -> None:
        """A branch that has called nothing yet."""
        self.path = path
        self.now: datetime | None = parent.now if parent else None
        self._parent = parent
        self._tasks = 0
        self._counts: Counter[str] = Counter()

    def identify(self, key: str) -> str:
        """The identity of the next call of this key."""
        return identity(self.path, key, self._occurrence(key))

    def child(self) -> Branch:
        """The branch of the next task that this one starts."""
        self._tasks += 1
        return Branch(self._below(str(self._tasks - 1)), self)

    def children(self, group: str, size: int) -> list[Branch]:
        """The branches of the items of the next group of that name: `map#0.0`, `map#0.1`, ..."""
        name = f"{group}#{self._occurrence(f'{group} of branches')}"
        return [Branch(self._below(f"{name}.{number}"), self) for number in range(size)]

    def draw(self, kind: str) -> str:
        """What the next random value of this kind derives from."""
        return identity(self.path, kind, self._occurrence(f"{kind} of seed"))

    def note_record(self, now: datetime | None) -> None:
        """A record was made or come by that holds this time: the next `ctx.now()` asks anew, in the parents too."""
        self.now = None
        above = self._parent
        while above is not None and now is not None:
            if above.now == now:
                above.now = None
            above = above._parent

    def is_ahead(self, path: str) -> bool:
        """Whether the path lies in a branch that this one has still to start."""
        below = f"{self.path}." if self.path else ""
        if not path.startswith(below) or path == self.path:
            return False
        first, _, rest = path[len(below) :].partition(".")
        group, _, number = first.partition("#")
        return (
            int(number) >= self._counts[f"{group} of branches"]
            if rest and number
            else int(first) >= self._tasks
        )

    def _below(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _occurrence(self, key: str) -> int:
        self._counts[key] += 1
        return self._counts[key] - 1


#: The branch whose code runs; None outside of runs and in threads that the author started.
current_branch: ContextVar[Branch | None] = ContextVar("keystroke_branch", default=None)


def branch_of(step_identity: str) -> str:
    """The path of the branch that a step's identity names."""
    branch, slash, _ = step_identity.rpartition("/")
    return branch if slash else ""


def make_branch_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    context: Context | None = None,
    **options: Any,
) -> asyncio.Task[Any]:
    """Task factory of a run's event loop: each task that the workflow starts is a branch of the one that started it.

    Tasks inside of an action are none: on replay its body does not run, and they must not count.
    """
    context = copy_context() if context is None else context
    parent = current_branch.get()
    if parent is not None and not inside_action.get():
        context.run(current_branch.set, parent.child())
    return asyncio.Task(coroutine, loop=loop, context=context, **options)
