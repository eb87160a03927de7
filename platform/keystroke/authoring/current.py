"""How an action finds the run it is called in: a context variable, which `execution` sets while a run's code executes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from keystroke.authoring.action import Action
    from keystroke.authoring.children import ChildOptions
    from keystroke.authoring.workflow import Workflow


class CurrentChildren(Protocol):
    """The run in which user code executes, as a workflow sees it that is to be its child.

    In an `async def` workflow the results are awaited.
    """

    def start(self, workflow: Workflow[..., Any], value: Any, options: ChildOptions) -> Any:
        """Start the child, or find it on record: a ChildRun (AsyncChildRun)."""

    def run(self, workflow: Workflow[..., Any], value: Any, options: ChildOptions) -> Any:
        """Start the child, wait for it, and give its output."""


class CurrentRun(Protocol):
    """The run in which user code executes, as an action sees it."""

    children: CurrentChildren

    def call_action(self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Make the call a step: give its recorded result, or run it here, record and give its result."""

    def call_async_action(
        self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Awaitable[Any]:
        """The same for an `async def` action."""

    def function_of(self, action: Action[..., Any]) -> Callable[..., Any]:
        """What a plain call of the action runs, inside of another one: its function, unless a test stands in for it."""

    def refuse_foreign_call(self, action: Action[..., Any]) -> None:
        """Raise where the action was called in a thread that the workflow started: calls there have no order.

        Inside an action's body its threads may call actions: plain calls, as in the body itself.
        """


class ProcessRun:
    """The run that this process executes, for threads whose context knows of none because the author started them."""

    run: CurrentRun | None = None


process_run = ProcessRun()

#: The run whose code executes here; None outside of any run.
current_run: ContextVar[CurrentRun | None] = ContextVar("keystroke_current_run", default=None)
#: True inside an action's body: actions called there are plain calls, since the outer one is the step.
inside_action: ContextVar[bool] = ContextVar("keystroke_inside_action", default=False)
