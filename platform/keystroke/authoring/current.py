"""How an action finds the run it is called in: a context variable, which `execution` sets while a run's code executes."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from keystroke.authoring.action import Action


class CurrentRun(Protocol):
    """The run in which user code executes, as an action sees it."""

    def call_action(self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Make the call a step: give its recorded result, or run it here, record and give its result."""

    def call_async_action(
        self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Awaitable[Any]:
        """The same for an `async def` action."""


#: The run whose code executes here; None outside of any run.
current_run: ContextVar[CurrentRun | None] = ContextVar("keystroke_current_run", default=None)
#: True inside an action's body: actions called there are plain calls, since the outer one is the step.
inside_action: ContextVar[bool] = ContextVar("keystroke_inside_action", default=False)
