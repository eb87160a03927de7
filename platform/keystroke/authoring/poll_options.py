"""The options of `@poll`, read and checked."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from keystroke.authoring.codec import Codec
from keystroke.authoring.definition import QUEUE, SLUG, Checks
from keystroke.authoring.source import function_problems_of
from keystroke.domain.schedule import Timing
from keystroke.errors import UnsupportedType

#: Beat looks for due ticks a few times a second; whoever wants to look more often than once a second wants a webhook.
_SHORTEST: Final = 1.0
_MOST_FAILURES: Final = 1000


def check_poll(  # noqa: PLR0913 - the options of the language, by name
    *,
    slug: Any,
    cron: Any,
    every: Any,
    timezone: Any,
    state: Any,
    filter: Any,
    dedupe_key: Any,
    dedupe_for: Any,
    group: Any,
    timeout: Any,
    queue: Any,
    unhealthy_after: Any,
) -> tuple[dict[str, Any], list[str]]:
    """The options as published (`domain.source`), and what is wrong with them."""
    checks = Checks(f"poll {slug}")
    checks.text("slug", slug, SLUG, "new-invoices")
    options = {
        **_timing(checks, cron, every, timezone),
        "timeout": _seconds(checks, "timeout", timeout),
        "queue": checks.text("queue", queue, QUEUE, "default"),
        "group": None if group is None else checks.text("group", group, SLUG, "inbox"),
        "state_schema": _state_schema(checks, state),
        "unhealthy_after": checks.whole("unhealthy_after", unhealthy_after, 1, _MOST_FAILURES),
        "filter": filter is not None,
        "dedupe_for": None if dedupe_key is None else _seconds(checks, "dedupe_for", dedupe_for),
    }
    for word, function in (("filter", filter), ("dedupe_key", dedupe_key)):
        for problem in function_problems_of(word, function):
            checks.refuse(problem)
    if group is not None and state is not None:
        checks.refuse(
            "a poll of a group keeps no state: it is called for all of them. Leave group or state out"
        )
    return options, checks.messages


def _timing(checks: Checks, cron: Any, every: Any, timezone: Any) -> dict[str, Any]:
    if (cron is None) == (every is None):
        checks.refuse('say when it looks: every="5m", or cron="0 * * * *"' + (", not both" if cron else ""))
        return {"cron": None, "every": None, "timezone": "UTC"}
    seconds = None if every is None else _seconds(checks, "every", every)
    if seconds is not None and 0 < seconds < _SHORTEST:
        checks.refuse(f"every is {every!r}; a poll looks once a second at most")
    timing = {"cron": cron, "every": seconds, "timezone": timezone}
    if seconds is None or seconds >= _SHORTEST:
        try:
            Timing.from_options(timing)
        except ValueError as error:
            checks.refuse(str(error))
    return timing


def _seconds(checks: Checks, name: str, value: Any) -> float:
    if value is None:
        checks.refuse(f"{name} is None; write it like '5m'")
    duration = checks.duration(name, value)
    return 0.0 if duration is None else duration.total_seconds()


def _state_schema(checks: Checks, state: Any) -> dict[str, Any] | None:
    if state is None:
        return None
    if not (isinstance(state, type) and issubclass(state, BaseModel)):
        checks.refuse(f"state is {state!r}; it must be a Pydantic model")
        return None
    try:
        return Codec(state, "input").schema("validation")
    except UnsupportedType as error:
        checks.refuse(f"state: {error}")
        return None
