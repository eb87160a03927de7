"""What stands in for actions, and the calls that it saw."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from keystroke.authoring.action import Action
from keystroke.execution.current_step import current_step
from keystroke.testing.problems import KitProblem

#: Told apart from None, which a stub may return.
NOTHING: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One call that a stub answered: its arguments by parameter, defaults filled, without `ctx`; `step` is the identity."""

    arguments: dict[str, Any]
    step: str | None


@dataclass
class Stub:
    """Stands in for an action; made by `TestKit.stub`. `seen` are the calls that it answered, tries included."""

    action: str
    answer: Callable[..., Any]
    left: int | None
    takes: timedelta = timedelta(0)
    is_async: bool = False
    seen: list[SeenCall] = field(default_factory=list)

    def take(self, action: Action[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Note the call and answer it."""
        bound = action.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        step, context = current_step.get(), action.parameters.context
        given = {
            name: value for name, value in bound.arguments.items() if context is None or name != context.name
        }
        self.seen.append(SeenCall(given, step.identity if step else None))
        return self.answer(*args, **kwargs)


class Stubs:
    """All stubs of a kit, the newest of an action first."""

    def __init__(self) -> None:
        """None yet."""
        self._stubs: list[Stub] = []

    @property
    def actions(self) -> set[str]:
        """The names of the actions that are stubbed."""
        return {stub.action for stub in self._stubs}

    def check(self, known: Mapping[str, Action[..., Any]]) -> None:
        """Refuse stubs of actions that the code has not: the real one would run, and charge the card."""
        for stub in self._stubs:
            action = known.get(stub.action)
            if action is None:
                near = difflib.get_close_matches(stub.action, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known)) or 'none'}"
                hint += ". One that is imported only while the code runs is stubbed by the function itself"
                raise KitProblem(
                    what=f"{stub.action} is stubbed, and the code has no action of that name: {hint}"
                )
            if stub.is_async and not action.is_async:
                raise KitProblem(what=f"the stub of {stub.action} is async, and the action is not")

    def add(self, action: str, given: Mapping[str, Any], times: int | None, takes: timedelta) -> Stub:
        """Stand in for the action with this name; `given` has one of `returns`, `raises`, `calls`."""
        if len(given) != 1:
            said = " and ".join(given) or "nothing"
            raise KitProblem(what=f"a stub of {action} needs one of returns=, raises=, calls=; it has {said}")
        ((kind, value),) = given.items()
        if kind == "raises" and not _is_raisable(value):
            raise KitProblem(what=f"a stub of {action} raises an exception, not {value!r}")
        answer = _ANSWERS[kind](value)
        is_async = kind == "calls" and inspect.iscoroutinefunction(value)
        stub = Stub(action, answer, times, takes, is_async)
        self._stubs.insert(0, stub)
        return stub

    def body(self, action: Action[..., Any], spend: Callable[[float], None]) -> Callable[..., Any]:
        """What a call of the action runs; `spend` lets so many seconds pass."""
        if action.name not in self.actions:
            return action.function

        def stand_in(*args: Any, **kwargs: Any) -> Any:
            stub = self._next(action.name)
            if stub is None:
                return action.function(*args, **kwargs)
            _take_time(stub, action, spend)
            return stub.take(action, args, kwargs)

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            answer = stand_in(*args, **kwargs)
            return await answer if inspect.isawaitable(answer) else answer

        return awaited if action.is_async else stand_in

    def _next(self, action: str) -> Stub | None:
        for stub in self._stubs:
            if stub.action == action and stub.left != 0:
                stub.left = None if stub.left is None else stub.left - 1
                return stub
        return None


def _take_time(stub: Stub, action: Action[..., Any], spend: Callable[[float], None]) -> None:
    """Let the call's time pass, up to the action's timeout."""
    if action.timeout is not None and stub.takes > action.timeout:
        seconds = action.timeout.total_seconds()
        spend(seconds)
        raise TimeoutError(f"{action.name} took longer than its timeout of {seconds:g} s")
    if stub.takes:
        spend(stub.takes.total_seconds())


def _is_raisable(value: Any) -> bool:
    return isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException))


def _returning(value: Any) -> Callable[..., Any]:
    # A copy for each call: what the workflow does with one must not reach the next.
    return lambda *_args, **_kwargs: copy.deepcopy(value)


def _calling(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _raising(error: BaseException | type[BaseException]) -> Callable[..., Any]:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise error if isinstance(error, type) else error.with_traceback(None)

    return fail


_ANSWERS: Final[dict[str, Callable[[Any], Callable[..., Any]]]] = {
    "returns": _returning, "raises": _raising, "calls": _calling,
}  # fmt: skip
