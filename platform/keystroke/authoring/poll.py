"""Polls: sources that look for something new, again and again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keystroke.authoring.definition import place, report
from keystroke.authoring.source import Source, slug_problems
from keystroke.domain.durations import Duration, parse_duration


class Poll(Source):
    """A function that looks for something new; made by `poll`. Called as it is, it is the plain function."""

    kind = "poll"

    def __init__(self, function: Callable[..., Any], slug: str, options: dict[str, Any]) -> None:
        """Use the decorator: it checks the options."""
        super().__init__(
            slug,
            description=function.__doc__,
            options=options,
            place=place(function),
            module=function.__globals__,
        )
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A plain call."""
        return self.function(*args, **kwargs)


def poll(slug: str, *, every: Duration | None = None) -> Callable[[Callable[..., Any]], Poll]:
    """Make a function a source that is called again and again."""

    def define(function: Callable[..., Any]) -> Poll:
        report(function, slug_problems(f"poll {slug}", slug))
        seconds = None if every is None else parse_duration(every).total_seconds()
        return Poll(function, slug, {"every": seconds})

    return define
