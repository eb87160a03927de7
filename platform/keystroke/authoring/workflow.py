"""Workflows: functions that run durably, started by their slug from anywhere."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Generic, Literal, ParamSpec, TypeVar

from keystroke.authoring.action import type_problems
from keystroke.authoring.children import child_options, children_here
from keystroke.authoring.codec import Codec
from keystroke.authoring.context import AsyncContext, Context
from keystroke.authoring.definition import function_problems, place, report
from keystroke.authoring.options import WorkflowOptions, check_options
from keystroke.authoring.signature import (
    FunctionSignature,
    Parameter,
    UnreadableAnnotation,
    context_types,
    defining_names,
    read_signature,
)
from keystroke.authoring.workflow_input import input_codec
from keystroke.domain.durations import Duration
from keystroke.domain.keys import names_secret, paths_of
from keystroke.domain.limits import Concurrency, RateLimit
from keystroke.domain.retry import Backoff

P = ParamSpec("P")
R = TypeVar("R")

#: What the published description is cut to; it is shown in lists.
LONGEST_DESCRIPTION: Final = 2000


class Workflow(Generic[P, R]):
    """A function that runs durably. Called as it is, outside of a run too, it is the plain function."""

    def __init__(
        self, function: Callable[P, R], options: WorkflowOptions, local_names: Mapping[str, Any] | None = None
    ) -> None:
        """Use the decorator: it checks the options."""
        functools.update_wrapper(self, function)
        self.__name__ = function.__name__
        self.function = function
        self.options = options
        self.is_async = inspect.iscoroutinefunction(function)
        self._local_names = local_names or {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """A plain call."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        """`<workflow signup-pipeline>`."""
        return f"<workflow {self.slug}>"

    def start(
        self,
        input: Any = None,
        *,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
        detached: bool = False,
    ) -> Any:
        """Inside of a run: start this workflow as its child, and go on. Gives the child, a `ChildRun`.

        `key` makes it one run however often it is started; `tags` are set on it; `detached`: it goes on when its parent is
        canceled. In an `async def` workflow it is awaited, and gives an `AsyncChildRun`.
        """
        call = f"{self.__name__}.start"
        options = child_options(call, key, tags, detached)
        return children_here(call, self.slug).start(self, input, options)

    def run(
        self,
        input: Any = None,
        *,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
        detached: bool = False,
    ) -> Any:
        """Inside of a run: start this workflow as its child, wait for it, and give its output; see `start`.

        Raises ChildFailed where the child failed or was canceled. In an `async def` workflow it is awaited.
        """
        call = f"{self.__name__}.run"
        options = child_options(call, key, tags, detached)
        return children_here(call, self.slug).run(self, input, options)

    def invoke(self, value: Any, context: Any) -> Any:
        """Call the function with its validated input and its context, each where the signature wants it.

        Gives what the function gives: a coroutine for an `async def` workflow.
        """
        given = {}
        if self.parameter is not None:
            given[self.parameter.name] = value
        if self.parameters.context is not None:
            given[self.parameters.context.name] = context
        call = inspect.signature(self.function).bind_partial()
        call.arguments.update(given)
        return self.function(*call.args, **call.kwargs)

    @property
    def slug(self) -> str:
        """What the workflow is started by."""
        return self.options.slug

    @property
    def name(self) -> str:
        """What people read."""
        return self.options.name

    @property
    def description(self) -> str:
        """The docstring, or what the decorator says."""
        return self.options.description

    @property
    def place(self) -> tuple[str, int | None]:
        """File and line of the definition."""
        return place(self.function)

    @cached_property
    def parameters(self) -> FunctionSignature:
        """The evaluated signature; UnreadableAnnotation where an annotation cannot be evaluated."""
        return read_signature(self.function, self._local_names)

    @property
    def parameter(self) -> Parameter | None:
        """The parameter that takes the input."""
        return next(iter(self.parameters.parameters), None)

    @property
    def takes_context(self) -> bool:
        """Whether the function has a parameter for the context."""
        return self.parameters.context is not None

    @cached_property
    def input(self) -> Codec:
        """Reads and records the input."""
        return input_codec(self.parameter)

    @cached_property
    def output(self) -> Codec:
        """Records what the function returns."""
        return Codec(self.parameters.result, "output")

    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of what the workflow takes."""
        return self.input.schema("validation")

    def output_schema(self) -> dict[str, Any]:
        """The JSON Schema of what the workflow gives."""
        return self.output.schema("serialization")

    def problems(self) -> list[str]:
        """What is wrong with the signature: its parameters, or types that cannot be read or recorded."""
        try:
            parameters = self.parameters
        except UnreadableAnnotation as error:
            return [f"workflow {self.slug}: {error}"]
        taker = f"parameter {self.parameter.name}" if self.parameter else "its input"
        wanted = {taker: self.input_schema, "its result": self.output_schema}
        found = self._parameter_problems(parameters) + type_problems(wanted)
        found += [] if found else self._key_problems()
        return [f"workflow {self.slug}: {problem}" for problem in found]

    def _parameter_problems(self, parameters: FunctionSignature) -> list[str]:
        variadic = [each.name for each in parameters.parameters if each.is_variadic]
        found = [f"it takes {name} as * or **: a workflow has one input" for name in variadic]
        names = [each.name for each in parameters.parameters if not each.is_variadic]
        if len(names) > 1:
            found.append(
                f"it has {len(names)} parameters ({', '.join(names)}): make them fields of one model, its input"
            )
        return found + self._context_problems(parameters.context)

    def _key_problems(self) -> list[str]:
        """Keys stand in the tables, in lists and on pages: what is a secret cannot be one."""
        schema = self.input_schema()
        limits = {"concurrency": self.options.concurrency, "rate_limit": self.options.rate_limit}
        return [
            f"the key of its {name} names {'.'.join(path)}, which is a secret"
            for name, limit in limits.items()
            for path in paths_of(limit.key if limit else None)
            if path[0] == "input" and names_secret(schema, path[1:])
        ]

    def _context_problems(self, context: Parameter | None) -> list[str]:
        wrong = Context if self.is_async else AsyncContext
        if context is None or wrong not in context_types(context):
            return []
        right, kind = ("AsyncContext", "async def") if self.is_async else ("Context", "def")
        return [f"parameter {context.name} is {wrong.__name__}; in a `{kind}` workflow it is {right}"]


def workflow(  # noqa: PLR0913 - the options of the language, by name
    slug: str,
    *,
    name: str | None = None,
    description: str | None = None,
    queue: str = "default",
    priority: int = 0,
    timeout: Duration | None = None,
    max_attempts: int = 1,
    backoff: Backoff | None = None,
    concurrency: Concurrency | None = None,
    rate_limit: RateLimit | None = None,
    idempotency_ttl: Duration = "24h",
    retention: Duration | None = None,
    budget: Decimal | int | str | float | None = None,
    tags: Mapping[str, str] | None = None,
    tool: bool = False,
    durability: Literal["strict", "relaxed"] = "strict",
    on_failure: Workflow[..., Any] | None = None,
) -> Callable[[Callable[P, R]], Workflow[P, R]]:
    """Make a function a workflow, started by its slug.

    Input and output are the annotations of the one parameter and of the result. Durations are a number of seconds, a
    timedelta, or text such as `90s`, `1h30m`, `3d`.

    - `name`, `description`: for people; by default the function's name and docstring.
    - `queue`: workers serve some queues; `priority`: -10 to 10, higher first.
    - `max_attempts`: how often a run is attempted while its code fails; `backoff`: the pauses between.
    - `idempotency_ttl`: how long a start's idempotency key is remembered.
    - `retention`: how long a finished run is kept; by default what the installation says.
    - `timeout`: how long a run may work, all attempts together; waiting does not count.
    - `concurrency`, `rate_limit`: how many runs go on at once, and how many begin in a while, by a key if wanted.
    - `budget`: what a run may cost, as exact text; it ends where it goes beyond.
    - `on_failure`: a workflow that is started once, with `{run_id, workflow, error, input}`, when a run has failed for good.
    - `durability`: `relaxed` records steps in groups, a few milliseconds behind: faster, and a crash may execute the last of
      them again although later code has used their results.
    - `tags`: set on each run; `tool`: whether language models may be offered the workflow.
    """
    options = dict(locals())
    if inspect.isfunction(slug):
        report(slug, [f'@workflow needs a slug: @workflow("{slug.__name__.replace("_", "-")}")'])
        return lambda function: function
    return lambda function: _define(function, options, defining_names(function, 1))


def _define(function: Any, options: dict[str, Any], local_names: Mapping[str, Any]) -> Any:
    problems = function_problems(function, "workflow")
    if problems:
        report(function, problems)
        return function
    checked, problems = check_options(**_with_defaults(function, options))
    if checked.on_failure is not None and not isinstance(checked.on_failure, Workflow):
        problems.append(
            f"workflow {checked.slug}: on_failure is {checked.on_failure!r}; it must be a workflow"
        )
    if problems:
        # While a project is loaded this goes on, so that what else is wrong with the workflow is found too.
        report(function, problems)
    return Workflow(function, checked, local_names)


def _with_defaults(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    name, description = options["name"], options["description"]
    if name is None:
        name = function.__name__
    if description is None:
        description = (inspect.getdoc(function) or "")[:LONGEST_DESCRIPTION]
    return {**options, "name": name, "description": description}
