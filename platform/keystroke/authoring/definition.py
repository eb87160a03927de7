"""What actions and workflows have in common: a function of the author, options that were checked, problems with a place."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final

from keystroke.domain.durations import Duration, parse_duration
from keystroke.errors import DefinitionError, ProjectProblem

SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
#: Names of queues become parts of the broker's queue names.
QUEUE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
#: Keys of steps: what stands around a key in a step's identity (`1/store#0`) cannot be part of it.
KEY: Final = re.compile(r"[^\W\d][\w.-]{0,99}\Z")

#: Where problems go while a project is loaded, so that all of them are reported at once; None: they are raised.
_collected: ContextVar[list[ProjectProblem] | None] = ContextVar(
    "keystroke_definition_problems", default=None
)


@contextmanager
def collecting_problems() -> Iterator[list[ProjectProblem]]:
    """While this lasts, faulty definitions are noted in the list instead of being raised."""
    problems: list[ProjectProblem] = []
    token = _collected.set(problems)
    try:
        yield problems
    finally:
        _collected.reset(token)


def report(function: Callable[..., Any], messages: list[str]) -> None:
    """Note what is wrong with the definition of a function, or raise DefinitionError outside of a load."""
    report_at(place(function), messages)


def report_at(where: tuple[str, int | None], messages: list[str]) -> None:
    """The same for what is no function: `where` is file and line of the definition. Without messages nothing is wrong."""
    if not messages:
        return
    problems = [ProjectProblem(*where, message) for message in messages]
    collected = _collected.get()
    if collected is None:
        raise DefinitionError(problems)
    collected.extend(problems)


def place(function: Callable[..., Any]) -> tuple[str, int | None]:
    """File and line of a function's definition, its decorators included."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else (getattr(function, "__module__", "?"), None)


def function_problems(function: Any, word: str) -> list[str]:
    """Why this cannot be an action or a workflow (`word`), as far as the function alone shows it."""
    if not inspect.isfunction(function):
        return [f"@{word} decorates functions, and {function!r} is none"]
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return [f"{function.__name__} is a generator, whose values cannot be recorded: return a list"]
    holder = function.__qualname__.rpartition(".")[0]
    if holder and not holder.endswith("<locals>"):
        return [f"{function.__qualname__} is a method: @{word} decorates functions of a module"]
    return []


class Checks:
    """Reads options one by one and keeps what is wrong with them in `messages`."""

    def __init__(self, subject: str) -> None:
        """`subject` names the definition in messages, such as `workflow signup-pipeline`."""
        self._subject = subject
        self.messages: list[str] = []

    def refuse(self, message: str) -> None:
        """Note a problem."""
        self.messages.append(f"{self._subject}: {message}")

    def whole(self, name: str, value: Any, low: int, high: int) -> int:
        """A whole number in a range."""
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.refuse(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
        return low

    def duration(self, name: str, value: Duration | None) -> timedelta | None:
        """A duration longer than zero, or None."""
        if value is None:
            return None
        try:
            duration = parse_duration(value)
        except (ValueError, TypeError) as error:
            self.refuse(f"{name}: {error}")
            return None
        if not duration:
            self.refuse(f"{name} is {value!r}; it must be longer than zero")
        return duration

    def text(self, name: str, value: Any, pattern: re.Pattern[str], example: str) -> str:
        """A text of a given form."""
        if isinstance(value, str) and pattern.match(value):
            return value
        self.refuse(f"{name} is {value!r}; write it like {example}")
        return str(value)

    def instance(self, name: str, value: Any, kind: type, example: str) -> None:
        """A value of a given class."""
        if not isinstance(value, kind):
            self.refuse(f"{name} is {value!r}; write it like {example}")

    def tags(self, value: Any) -> dict[str, str]:
        """A flat map of strings."""
        tags = dict(value) if isinstance(value, Mapping) else {}
        if value is not None and not isinstance(value, Mapping):
            self.refuse(f"tags is {value!r}; write it like {{'team': 'sales'}}")
        for key, tag in tags.items():
            if not (isinstance(key, str) and isinstance(tag, str)):
                self.refuse(f"tags: {key!r}: {tag!r}; both must be text")
        return tags
