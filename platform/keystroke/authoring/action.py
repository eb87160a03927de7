"""Actions: functions whose calls inside a run are steps."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property, partial
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from keystroke.authoring.arguments import Arguments
from keystroke.authoring.codec import Codec
from keystroke.authoring.current import current_run, inside_action, process_run
from keystroke.authoring.definition import KEY, Checks, function_problems, place, report
from keystroke.authoring.signature import (
    FunctionSignature,
    UnreadableAnnotation,
    defining_names,
    read_signature,
)
from keystroke.domain.durations import Duration
from keystroke.domain.retry import Backoff
from keystroke.domain.step import RESERVED_KEYS
from keystroke.errors import UnsupportedType

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_BACKOFF = Backoff()
_MOST_RETRIES = 1000


class Action(Generic[P, R]):
    """A function whose call inside a run is a step: recorded, and never executed again once it is on record.

    Called anywhere else, inside another action too, it is the plain function.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str,
        retries: int = 0,
        backoff: Backoff = DEFAULT_BACKOFF,
        retry_on: tuple[type[BaseException], ...] | None = None,
        timeout: timedelta | None = None,
        local_names: Mapping[str, Any] | None = None,
    ) -> None:
        """Use the decorator: it checks the options."""
        functools.update_wrapper(self, function)
        self.__name__ = function.__name__
        self.function = function
        self.name = name
        self.retries = retries
        self.backoff = backoff
        self.retry_on = retry_on
        self.timeout = timeout
        self.is_async = inspect.iscoroutinefunction(function)
        self._local_names = local_names or {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """A step inside a run, else a plain call."""
        run = current_run.get()
        if run is None and process_run.run is not None:
            process_run.run.refuse_foreign_call(self)
        if run is None:
            return self.function(*args, **kwargs)
        if inside_action.get():
            return cast("R", run.function_of(self)(*args, **kwargs))
        if self.is_async:
            return cast("R", run.call_async_action(self, args, kwargs))
        return cast("R", run.call_action(self, args, kwargs))

    def __repr__(self) -> str:
        """`<action research>`."""
        return f"<action {self.name}>"

    @property
    def key(self) -> str:
        """What identifies the action in its project's steps: its name."""
        return self.name

    @property
    def place(self) -> tuple[str, int | None]:
        """File and line of the definition."""
        return place(self.function)

    @cached_property
    def parameters(self) -> FunctionSignature:
        """The evaluated signature; UnreadableAnnotation where an annotation cannot be evaluated."""
        return read_signature(self.function, self._local_names)

    @property
    def signature(self) -> inspect.Signature:
        """The function's signature, to bind a call to."""
        return self.arguments.signature

    @cached_property
    def arguments(self) -> Arguments:
        """Records the arguments of a call."""
        return Arguments(self.name, self.function, self.parameters)

    @cached_property
    def result(self) -> Codec:
        """Records what a call returned."""
        return Codec(self.parameters.result)

    def prepare(self) -> None:
        """Build now what each call needs, so that processes forked from this one have it already."""
        _ = self.arguments, self.result

    def problems(self) -> list[str]:
        """What is wrong with the signature: types that cannot be read or recorded."""
        try:
            parameters = self.parameters
        except UnreadableAnnotation as error:
            return [f"action {self.name}: {error}"]
        wanted = {f"parameter {each.name}": partial(Codec, each.annotation) for each in parameters.parameters}
        wanted["its result"] = partial(Codec, parameters.result)
        return [f"action {self.name}: {problem}" for problem in type_problems(wanted)]


def type_problems(wanted: Mapping[str, Callable[[], object]]) -> list[str]:
    """What cannot be recorded or published, found by trying: each name is that of what has the type."""
    problems = []
    for what, attempt in wanted.items():
        try:
            attempt()
        except UnsupportedType as error:
            problems.append(f"the type of {what}, {error.type}, cannot be recorded: {error.why}")
    return problems


@overload
def action(function: Callable[P, R], /) -> Action[P, R]: ...
@overload
def action(
    name: str | None = None,
    *,
    retries: int = 0,
    backoff: Backoff = DEFAULT_BACKOFF,
    retry_on: type[BaseException] | tuple[type[BaseException], ...] | None = None,
    timeout: Duration | None = None,
) -> Callable[[Callable[P, R]], Action[P, R]]: ...
def action(name: Any = None, **options: Any) -> Any:
    """Make a function an action: `@action`, or `@action(retries=3, timeout="30s")`.

    - `name`: identifies it in its project's recorded steps; by default the function's name.
    - `retries`: how many times a failed call is tried again.
    - `backoff`: the pauses between tries, see `Backoff`.
    - `retry_on`: exception classes after which it is tried again; by default all but `Fatal`.
    - `timeout`: bounds one try; a number of seconds, a timedelta, or text such as `30s`.
    """
    if inspect.isfunction(name):
        return _define(name, None, {}, defining_names(name, 1))
    return lambda function: _define(function, name, options, defining_names(function, 1))


def _define(function: Any, name: Any, options: dict[str, Any], local_names: Mapping[str, Any]) -> Any:
    problems = function_problems(function, "action")
    if problems:
        report(function, problems)
        return function
    checked, messages = _check(function.__name__ if name is None else name, **options)
    if messages:
        # While a project is loaded this goes on, so that what else is wrong with the action is found too.
        report(function, messages)
    return Action(function, **checked, local_names=local_names)


def _check(
    name: Any,
    retries: Any = 0,
    backoff: Any = DEFAULT_BACKOFF,
    retry_on: Any = None,
    timeout: Any = None,
) -> tuple[dict[str, Any], list[str]]:
    checks = Checks(f"action {name}")
    checked = {
        "name": checks.text("name", name, KEY, "research"),
        "retries": checks.whole("retries", retries, 0, _MOST_RETRIES),
        "backoff": backoff,
        "retry_on": _exceptions(checks, retry_on),
        "timeout": checks.duration("timeout", timeout),
    }
    if name in RESERVED_KEYS:
        checks.refuse(f"name is {name!r}, which is how the context's own steps are recorded; give it another")
    checks.instance("backoff", backoff, Backoff, 'Backoff(first="1s", factor=2, longest="5m")')
    return checked, checks.messages


def _exceptions(checks: Checks, value: Any) -> tuple[type[BaseException], ...] | None:
    if value is None:
        return None
    classes = value if isinstance(value, tuple) else (value,)
    if classes and all(isinstance(each, type) and issubclass(each, Exception) for each in classes):
        return classes
    checks.refuse(f"retry_on is {value!r}; write it like (ConnectionError, TimeoutError)")
    return None
