"""Polls: sources that look for something new, again and again."""

from __future__ import annotations

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel

from keystroke.authoring.codec import Codec
from keystroke.authoring.definition import function_problems, place, report
from keystroke.authoring.poll_options import check_poll
from keystroke.authoring.poll_parameters import Taken, call_with, parameter_problems, taken_by
from keystroke.authoring.poll_result import payload_type
from keystroke.authoring.signature import (
    FunctionSignature,
    UnreadableAnnotation,
    defining_names,
    read_signature,
)
from keystroke.authoring.source import Source
from keystroke.authoring.tick import Tick
from keystroke.domain.durations import Duration

#: What the sources of a group have in common, since one tick is for all of them.
_TIMING: Final = ("cron", "every", "timezone")


class Poll(Source):
    """A function that looks for something new; made by `poll`. Called as it is, it is the plain function."""

    kind = "poll"

    def __init__(  # noqa: PLR0913 - made by the decorator, by name
        self,
        function: Callable[..., Any],
        slug: str,
        *,
        options: Mapping[str, Any],
        payload: Any = None,
        state: type[BaseModel] | None = None,
        filter: Callable[..., Any] | None = None,
        dedupe_key: Callable[..., Any] | None = None,
        name: str | None = None,
        description: str | None = None,
        local_names: Mapping[str, Any] | None = None,
    ) -> None:
        """Use the decorator: it checks the options."""
        described = inspect.getdoc(function) if description is None else description
        super().__init__(
            slug, payload=payload, name=name, description=described, options=options, place=place(function),
            module=function.__globals__,
        )  # fmt: skip
        self.function = function
        self.state = state
        self.filter = filter
        self.dedupe_key = dedupe_key
        self._local_names = local_names or {}
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A plain call."""
        return self.function(*args, **kwargs)

    @property
    def group(self) -> str | None:
        """Whom it shares its ticks with."""
        group: str | None = self.options["group"]
        return group

    @cached_property
    def parameters(self) -> FunctionSignature:
        """The evaluated signature; UnreadableAnnotation where an annotation cannot be evaluated."""
        return read_signature(self.function, self._local_names)

    @cached_property
    def payload_type(self) -> Any:
        """The type of what it brings: as the decorator says, else by the annotation of the result; None: anything."""
        given = self.payload_annotation
        return payload_type(self.parameters.result) if given is None else given

    @cached_property
    def payload(self) -> Codec:
        """Reads and records what it brings."""
        return Codec(Any if self.payload_type is None else self.payload_type, "input")

    @cached_property
    def state_codec(self) -> Codec | None:
        """Reads and records the state; None: it keeps none."""
        return None if self.state is None else Codec(self.state, "input")

    @cached_property
    def _taken(self) -> tuple[Taken, ...]:
        return taken_by(self.parameters)

    def payload_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of what it brings; None: anything."""
        return None if self.payload_type is None else self.payload.schema("validation")

    def invoke(self, state: BaseModel | None, tick: Tick) -> Any:
        """Call the function with what it takes."""
        return self.function(*call_with(self._taken, {"state": state, "tick": tick}))

    def problems(self) -> list[str]:
        """What is wrong with it as a whole, once its module is loaded."""
        try:
            found = parameter_problems(self.parameters, self.state)
        except UnreadableAnnotation as error:
            return [f"{self.subject}: {error}"]
        return [f"{self.subject}: {problem}" for problem in found] + super().problems()


def poll(  # noqa: PLR0913 - the options of the language, by name
    slug: str,
    cron: str | None = None,
    *,
    every: Duration | None = None,
    timezone: str = "UTC",
    state: type[BaseModel] | None = None,
    payload: Any = None,
    filter: Callable[[Any], Any] | None = None,
    dedupe_key: Callable[[Any], Any] | None = None,
    dedupe_for: Duration = "30d",
    group: str | None = None,
    timeout: Duration = "5m",
    queue: str = "default",
    unhealthy_after: int = 3,
    name: str | None = None,
    description: str | None = None,
) -> Callable[[Callable[..., Any]], Poll]:
    """Make a function a source that is called again and again, and gives what it found: a payload, a list, or nothing.

    Durations are a number of seconds, a timedelta, or text such as `90s`, `1h30m`, `3d`.

    - `every`, or `cron` with its `timezone`: when it looks; after the first deploy at once.
    - `state`: a Pydantic model. The function is given the state of the tick before (None on the first), and gives the next
      one with what it found: `PollResult(payloads=[...], state=Cursor(...))`.
    - `payload`: the type of what it brings; by default what its annotation says of it.
    - `filter(payload)`: false means that nothing is started for it.
    - `dedupe_key(payload)`: what came under the same key starts nothing again, until it has not come for `dedupe_for`.
    - `group`: polls that share one are executed once for all of them, by the function of the first slug.
    - `timeout`: how long a tick may take; `queue`: whose workers execute it.
    - `unhealthy_after`: after so many failing ticks in a row it shows as unhealthy.
    - `name`, `description`: for people; by default the slug and the function's docstring.
    """
    options = dict(locals())
    if inspect.isfunction(slug):
        report(slug, [f'@poll needs a slug: @poll("{slug.__name__.replace("_", "-")}", every="5m")'])
        return lambda function: function
    return lambda function: _define(function, options, defining_names(function, 1))


def group_problems(polls: Iterable[Poll]) -> Iterator[tuple[Poll, str]]:
    """What is wrong with the polls that share a group: one tick is for all of them."""
    groups: dict[str, list[Poll]] = defaultdict(list)
    for each in sorted(polls, key=lambda each: each.slug):
        if each.group is not None:
            groups[each.group].append(each)
    for group, (leader, *others) in groups.items():
        for other in others:
            if any(leader.options[name] != other.options[name] for name in _TIMING):
                yield (
                    other,
                    f"{other.subject}: it looks at other times than {leader.slug}, and both are in the group {group}",
                )


def _define(function: Any, options: dict[str, Any], local_names: Mapping[str, Any]) -> Any:
    problems = function_problems(function, "poll")
    if not problems and inspect.iscoroutinefunction(function):
        problems = [f"{function.__name__} is an async function: @poll takes a plain one"]
    if problems:
        report(function, problems)
        return function
    named = {name: options.pop(name) for name in ("payload", "name", "description")}
    checked, problems = check_poll(**options)
    report(function, problems)
    kept = {name: options[name] for name in ("state", "filter", "dedupe_key")}
    return Poll(function, options["slug"], options=checked, local_names=local_names, **named, **kept)
