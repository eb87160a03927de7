"""Actions: plain functions outside of a run, calls of the run inside."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from keystroke.authoring.action import Action, action
from keystroke.authoring.context import Context
from keystroke.authoring.current import current_run, inside_action
from keystroke.domain.retry import Backoff
from keystroke.errors import DefinitionError, InvalidValue


@action
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@action("half", retries=3, backoff=Backoff(first="10ms"), retry_on=(OSError,), timeout="30s")
async def halve(number: int) -> float:
    return number / 2


class SpyingRun:
    def call_action(self, called: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return ("step", called.key, args, dict(kwargs))

    def call_async_action(
        self, called: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Awaitable[Any]:
        return asyncio.sleep(0, ("async step", called.key, args, dict(kwargs)))

    def function_of(self, called: Action[..., Any]) -> Any:
        return called.function


@contextmanager
def inside_a_run() -> Iterator[None]:
    token = current_run.set(SpyingRun())
    try:
        yield
    finally:
        current_run.reset(token)


def test_outside_of_a_run_a_call_is_a_plain_call() -> None:
    assert double(21) == 42
    assert asyncio.run(halve(21)) == 10.5


def test_inside_a_run_a_call_is_a_step() -> None:
    with inside_a_run():
        assert double(number=21) == ("step", "double", (), {"number": 21})  # type: ignore[comparison-overlap]

        async def call() -> Any:
            return await halve(21)

        assert asyncio.run(call()) == ("async step", "half", (21,), {})


def test_inside_an_action_a_call_is_plain_again() -> None:
    with inside_a_run():
        token = inside_action.set(True)
        try:
            assert double(21) == 42
        finally:
            inside_action.reset(token)


def test_an_action_looks_like_its_function() -> None:
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice the number."
    assert inspect.signature(double) == inspect.signature(double.function)
    assert not double.is_async


def test_options_are_kept() -> None:
    assert (halve.key, halve.retries, halve.is_async) == ("half", 3, True)
    assert halve.backoff == Backoff(first="10ms")
    assert halve.retry_on == (OSError,)
    assert halve.timeout == timedelta(seconds=30)


def test_arguments_are_bound_with_defaults_and_without_the_context() -> None:
    @action
    def ship(
        order: int, *parts: str, ctx: Context | None = None, fast: bool = False, **notes: int
    ) -> None: ...

    recorded = ship.arguments.record((1, "a", "b"), {"ctx": object(), "tip": 2})
    assert recorded.payload == {"order": 1, "parts": ["a", "b"], "fast": False, "notes": {"tip": 2}}


def test_none_as_a_default_means_that_none_is_allowed() -> None:
    @action
    def find(limit: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    assert find.arguments.record((), {}).payload == {"limit": None}


def test_arguments_of_the_wrong_type_are_named() -> None:
    with pytest.raises(InvalidValue, match="The argument number of double does not fit int"):
        double.arguments.record(("x",), {})
    with pytest.raises(TypeError, match="missing a required argument: 'number'"):
        double.arguments.record((), {})


def test_types_defined_in_the_same_function_are_found() -> None:
    class Local:
        pass

    @action
    def take(thing: Local) -> None: ...

    (problem,) = take.problems()
    assert problem.startswith(
        "action take: the type of parameter thing, Local, cannot be recorded: Pydantic has no schema"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -1}, "retries is -1; it must be a whole number from 0 to 1000"),
        ({"retries": True}, "retries is True"),
        ({"timeout": "soon"}, "timeout: 'soon' is not a duration: write 90s, 1h30m or 3d"),
        ({"timeout": 0}, "timeout is 0; it must be longer than zero"),
        ({"backoff": 3}, "backoff is 3; write it like Backoff"),
        ({"retry_on": "OSError"}, "retry_on is 'OSError'; write it like"),
        ({"retry_on": (KeyboardInterrupt,)}, "retry_on is"),
        ({"name": "a#0"}, "name is 'a#0'; write it like research"),
        ({"name": "sleep"}, "name is 'sleep', which is how the context's own steps are recorded"),
        ({"name": "usage.add"}, "name is 'usage.add', which is how the context's own steps are recorded"),
    ],
)
def test_bad_options_are_refused_at_the_definition(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        action(**options)(double.function)
    assert message in str(refused.value)
    assert refused.value.problems[0].path == __file__
    assert refused.value.problems[0].line == double.function.__code__.co_firstlineno


def test_all_bad_options_are_named_at_once() -> None:
    with pytest.raises(DefinitionError) as refused:
        action(retries=-1, timeout="soon")(double.function)
    assert len(refused.value.problems) == 2


def test_generators_methods_and_classes_are_no_actions() -> None:
    def stream() -> Iterator[int]:
        yield 1

    class Shop:
        def sell(self) -> None: ...

    for wrong, why in [(stream, "is a generator"), (Shop.sell, "is a method"), (Shop, "decorates functions")]:
        with pytest.raises(DefinitionError, match=why):
            action()(wrong)  # type: ignore[arg-type]
