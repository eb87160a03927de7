"""The context that authors see: `Context` for `def` workflows, `AsyncContext` with the same names, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from keystroke.authoring.children import AsyncChildRun, ChildRun
from keystroke.authoring.current import inside_action
from keystroke.domain.actor import Trigger
from keystroke.domain.durations import Duration
from keystroke.domain.usage import UsageKind
from keystroke.execution.branches import Branch
from keystroke.execution.children import Children
from keystroke.execution.hooks import ANY, AsyncRunHook, Hooks, RunHook
from keystroke.execution.mapping import Mapping
from keystroke.execution.run_facts import Number, RunFacts
from keystroke.execution.sleeping import Sleeping

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Gives the branch in which a durable call is made, and refuses the call where there is none.
EnterCall = Callable[[str], Branch]


class _Facts:
    """What both faces share."""

    def __init__(
        self,
        facts: RunFacts,
        mapping: Mapping,
        enter_call: EnterCall,
        sleeping: Sleeping,
        hooks: Hooks,
        children: Children,
    ) -> None:
        self._facts = facts
        self._mapping = mapping
        self._enter_call = enter_call
        self._sleeping = sleeping
        self._hooks = hooks
        self._children = children

    @property
    def run_id(self) -> str:
        """The run's id, `run_…`."""
        return self._facts.run_id

    @property
    def workflow(self) -> str:
        """The slug of the workflow."""
        return self._facts.workflow

    @property
    def attempt(self) -> int:
        """Claims so far."""
        return self._facts.attempt

    @property
    def tags(self) -> MutableMapping[str, str]:
        """The run's tags."""
        return self._facts.tags

    @property
    def trigger(self) -> Trigger:
        """What started the run."""
        return self._facts.trigger

    def _branch(self) -> Branch:
        """Inside of an action calls are plain, and its branches count nowhere."""
        return Branch("") if inside_action.get() else self._enter_call("ctx.map")


class _Usage:
    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts

    def add(
        self,
        kind: UsageKind,
        name: str,
        quantity: Number = 1,
        unit: str = "",
        cost: Number = "0",
        currency: str = "USD",
    ) -> None:
        """Record one line item."""
        self._facts.add_usage(kind, name, quantity, unit, cost, currency)


class _AsyncUsage:
    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts

    async def add(
        self,
        kind: UsageKind,
        name: str,
        quantity: Number = 1,
        unit: str = "",
        cost: Number = "0",
        currency: str = "USD",
    ) -> None:
        """Record one line item."""
        self._facts.add_usage(kind, name, quantity, unit, cost, currency)


class RunContext(_Facts):
    """See `authoring.context.Context`."""

    @property
    def usage(self) -> _Usage:
        """What the run consumes."""
        return _Usage(self._facts)

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Say how far the run is."""
        self._facts.say_progress(fraction, message)

    def map(
        self, action: Callable[[Item], Result], items: Iterable[Item], concurrency: int = 8
    ) -> list[Result]:
        """Call the action for each item; each call is a step."""
        return cast("list[Result]", self._mapping.in_threads(action, items, concurrency, self._branch()))

    def wait(self, children: Iterable[ChildRun]) -> None:
        """Wait until all have ended."""
        self._children.wait(children)

    def now(self) -> datetime:
        """The time; the same one on replay."""
        return self._facts.now()

    def random(self) -> float:
        """A random number; the same one on replay."""
        return self._facts.random()

    def uuid(self) -> UUID:
        """A random UUID; the same one on replay."""
        return self._facts.uuid()

    def sleep(self, duration: Duration) -> None:
        """Rest for a while."""
        self._sleeping.sleep(duration)

    def sleep_until(self, time: datetime) -> None:
        """Rest until then."""
        self._sleeping.sleep_until(time)

    def hook(
        self, name: str, schema: Any = ANY, timeout: Duration | None = None, one_click: bool = False
    ) -> RunHook:
        """Ask somebody outside."""
        return self._hooks.create(name, schema, timeout, one_click)


class AsyncRunContext(_Facts):
    """See `authoring.context.AsyncContext`."""

    @property
    def usage(self) -> _AsyncUsage:
        """What the run consumes."""
        return _AsyncUsage(self._facts)

    async def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Say how far the run is."""
        self._facts.say_progress(fraction, message)

    async def map(
        self,
        action: Callable[[Item], Awaitable[Result]] | Callable[[Item], Result],
        items: Iterable[Item],
        concurrency: int = 8,
    ) -> list[Result]:
        """Call the action for each item; each call is a step."""
        return cast("list[Result]", await self._mapping.in_tasks(action, items, concurrency, self._branch()))

    async def wait(self, children: Iterable[AsyncChildRun]) -> None:
        """Wait until all have ended."""
        await self._children.wait_async(children)

    async def now(self) -> datetime:
        """The time; the same one on replay."""
        return self._facts.now()

    async def random(self) -> float:
        """A random number; the same one on replay."""
        return self._facts.random()

    async def uuid(self) -> UUID:
        """A random UUID; the same one on replay."""
        return self._facts.uuid()

    async def sleep(self, duration: Duration) -> None:
        """Rest for a while."""
        await self._sleeping.sleep_async(duration)

    async def sleep_until(self, time: datetime) -> None:
        """Rest until then."""
        await self._sleeping.sleep_until_async(time)

    def hook(
        self, name: str, schema: Any = ANY, timeout: Duration | None = None, one_click: bool = False
    ) -> Awaitable[AsyncRunHook]:
        """Ask somebody outside."""
        return self._hooks.create_async(name, schema, timeout, one_click)
