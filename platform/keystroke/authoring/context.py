"""The context of a run: what a workflow's code can ask for and tell, beside calling its actions.

A function gets it by a parameter that is annotated `Context` (`AsyncContext` in an `async def` workflow), or named `ctx`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar, overload
from uuid import UUID

from keystroke.authoring.children import AsyncChildRun, ChildRun
from keystroke.authoring.hooks import AsyncHook, Hook
from keystroke.domain.actor import Trigger
from keystroke.domain.durations import Duration
from keystroke.domain.usage import UsageKind

Item = TypeVar("Item")
Result = TypeVar("Result")
Answer = TypeVar("Answer")


class Usage(Protocol):
    """What the run consumes."""

    def add(
        self,
        kind: UsageKind,
        name: str,
        quantity: Decimal | int | str | float = 1,
        unit: str = "",
        cost: Decimal | int | str | float = "0",
        currency: str = "USD",
    ) -> None:
        """Record one line item; costs are exact, so write them as text or Decimal: `cost="0.0042"`."""


class AsyncUsage(Protocol):
    """What the run consumes; awaited."""

    async def add(
        self,
        kind: UsageKind,
        name: str,
        quantity: Decimal | int | str | float = 1,
        unit: str = "",
        cost: Decimal | int | str | float = "0",
        currency: str = "USD",
    ) -> None:
        """Record one line item; costs are exact, so write them as text or Decimal: `cost="0.0042"`."""


class RunFacts(Protocol):
    """What both contexts know of the run."""

    @property
    def run_id(self) -> str:
        """The run's id, `run_…`."""

    @property
    def workflow(self) -> str:
        """The slug of the workflow."""

    @property
    def attempt(self) -> int:
        """How many times the run was claimed by a worker, this time included."""

    @property
    def tags(self) -> MutableMapping[str, str]:
        """The run's tags; what is set here is recorded and can be filtered by."""

    @property
    def trigger(self) -> Trigger:
        """What started the run: `type`, `label`, `value`, `id`, `payload`, `fired_at`; of ticks `scheduled_at` and more.

        The same each time the run is executed. Changing its payload changes a copy.
        """


class Context(RunFacts, Protocol):
    """The context of a run in a `def` workflow or action."""

    @property
    def usage(self) -> Usage:
        """Where line items of cost are added."""

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Say how far the run is: `fraction` between 0 and 1, a sentence, or both."""

    def map(
        self, action: Callable[[Item], Result], items: Iterable[Item], concurrency: int = 8
    ) -> list[Result]:
        """Call the action for each item, at most `concurrency` at once; each call is a step. Results in order."""

    def wait(self, children: Iterable[ChildRun]) -> None:
        """Wait until all of these children have ended, however; their `result()` says how."""

    def now(self) -> datetime:
        """The time, as an aware UTC datetime; the same one when the run is executed again."""

    def random(self) -> float:
        """A random number in [0, 1); the same one when the run is executed again."""

    def uuid(self) -> UUID:
        """A random UUID; the same one when the run is executed again."""

    def sleep(self, duration: Duration) -> None:
        """Let the run rest: a number of seconds, a timedelta, or text such as `90s`, `1h30m`, `3d`.

        The run is suspended and holds no worker, for seconds or for a year; then the function is executed again from its top
        and goes on here. A time of zero or less is over at once. Not inside of actions.
        """

    def sleep_until(self, time: datetime) -> None:
        """Let the run rest until then (an aware datetime); a time that has passed is over at once. See `sleep`."""

    @overload
    def hook(
        self, name: str, schema: type[Answer], timeout: Duration | None = None, one_click: bool = False
    ) -> Hook[Answer]: ...
    @overload
    def hook(
        self, name: str, schema: Any = ..., timeout: Duration | None = None, one_click: bool = False
    ) -> Hook[Any]: ...
    def hook(
        self, name: str, schema: Any = Any, timeout: Duration | None = None, one_click: bool = False
    ) -> Hook[Any]:
        """Ask somebody outside: send the hook's `url` to whoever is to answer, then `wait()` for the answer.

        - `name`: says what is asked, such as `approval`.
        - `schema`: any annotation that Pydantic validates; what answers have to be, and what `wait()` gives. By default any JSON.
        - `timeout`: how long there is to answer; after that `wait()` raises HookTimeout. By default for ever.
        - `one_click`: whether a link with `?confirm=1` and the answer in it answers without asking again. A preview of the
          link, as mail and chat programs make them, then answers too.

        The time runs from here, not from `wait()`, and somebody may answer before that.
        """


class AsyncContext(RunFacts, Protocol):
    """The context of a run in an `async def` workflow or action: the same names, awaited."""

    @property
    def usage(self) -> AsyncUsage:
        """Where line items of cost are added."""

    async def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Say how far the run is: `fraction` between 0 and 1, a sentence, or both."""

    @overload
    async def map(
        self, action: Callable[[Item], Awaitable[Result]], items: Iterable[Item], concurrency: int = 8
    ) -> list[Result]: ...
    @overload
    async def map(
        self, action: Callable[[Item], Result], items: Iterable[Item], concurrency: int = 8
    ) -> list[Result]: ...
    async def map(
        self, action: Callable[[Any], Any], items: Iterable[Any], concurrency: int = 8
    ) -> list[Any]:
        """Call the action for each item, at most `concurrency` at once; each call is a step. Results in order."""

    async def wait(self, children: Iterable[AsyncChildRun]) -> None:
        """Wait until all of these children have ended, however; their `result()` says how."""

    async def now(self) -> datetime:
        """The time, as an aware UTC datetime; the same one when the run is executed again."""

    async def random(self) -> float:
        """A random number in [0, 1); the same one when the run is executed again."""

    async def uuid(self) -> UUID:
        """A random UUID; the same one when the run is executed again."""

    async def sleep(self, duration: Duration) -> None:
        """Let the run rest: a number of seconds, a timedelta, or text such as `90s`, `1h30m`, `3d`.

        The run is suspended and holds no worker, for seconds or for a year; then the function is executed again from its top
        and goes on here. A time of zero or less is over at once. Not inside of actions.
        """

    async def sleep_until(self, time: datetime) -> None:
        """Let the run rest until then (an aware datetime); a time that has passed is over at once. See `sleep`."""

    @overload
    def hook(
        self, name: str, schema: type[Answer], timeout: Duration | None = None, one_click: bool = False
    ) -> Awaitable[AsyncHook[Answer]]: ...
    @overload
    def hook(
        self, name: str, schema: Any = ..., timeout: Duration | None = None, one_click: bool = False
    ) -> Awaitable[AsyncHook[Any]]: ...
    def hook(
        self, name: str, schema: Any = Any, timeout: Duration | None = None, one_click: bool = False
    ) -> Awaitable[AsyncHook[Any]]:
        """Ask somebody outside, awaited: send the hook's `url` to whoever is to answer, then `await hook.wait()` for the answer.

        - `name`: says what is asked, such as `approval`.
        - `schema`: any annotation that Pydantic validates; what answers have to be, and what `wait()` gives. By default any JSON.
        - `timeout`: how long there is to answer; after that `wait()` raises HookTimeout. By default for ever.
        - `one_click`: whether a link with `?confirm=1` and the answer in it answers without asking again. A preview of the
          link, as mail and chat programs make them, then answers too.

        The time runs from here, not from `wait()`, and somebody may answer before that.
        """
