"""The options of `schedule`, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from keystroke.authoring.codec import Codec
from keystroke.authoring.definition import SLUG, Checks
from keystroke.clock import rfc3339
from keystroke.domain.catch_up import CATCH_UP_LIMIT, CATCH_UPS, MOST_CAUGHT_UP, OVERLAPS
from keystroke.domain.schedule import Timing
from keystroke.domain.wall_clock import read_zone
from keystroke.errors import KeystrokeError

_MOST_FAILURES: Final = 1000


def check_schedule(  # noqa: PLR0913 - the options of the language, by name
    *,
    slug: Any,
    cron: Any,
    every: Any,
    timezone: Any,
    payload: Any,
    catch_up: Any,
    catch_up_limit: Any,
    overlap: Any,
    jitter: Any,
    starts_at: Any,
    ends_at: Any,
    pause_after: Any,
    max_lateness: Any,
    expected_within: Any,
    name: Any,
    description: Any,
) -> tuple[dict[str, Any], list[str]]:
    """The options as published (`domain.source`), and what is wrong with them."""
    checks = Checks(f"schedule {slug}")
    checks.text("slug", slug, SLUG, "nightly")
    _check_texts(checks, name=name, description=description)
    options = {
        **_timing(checks, cron, every, timezone, starts_at, ends_at, jitter),
        "payload": _payload(checks, payload),
        "catch_up": _one_of(checks, "catch_up", catch_up, CATCH_UPS),
        "catch_up_limit": checks.whole("catch_up_limit", catch_up_limit, 1, MOST_CAUGHT_UP),
        "overlap": _one_of(checks, "overlap", overlap, OVERLAPS),
        "pause_after": None
        if pause_after is None
        else checks.whole("pause_after", pause_after, 1, _MOST_FAILURES),
        "max_lateness": _seconds(checks, "max_lateness", max_lateness),
        "expected_within": _seconds(checks, "expected_within", expected_within),
    }
    if catch_up_limit != CATCH_UP_LIMIT and catch_up != "all":
        checks.refuse('catch_up_limit is for catch_up="all"')
    return options, checks.messages


def _check_texts(checks: Checks, **texts: Any) -> None:
    for option, text in texts.items():
        if text is not None:
            checks.instance(option, text, str, "'Nightly report'")


def _timing(
    checks: Checks, cron: Any, every: Any, timezone: Any, starts_at: Any, ends_at: Any, jitter: Any
) -> dict[str, Any]:
    before = len(checks.messages)
    timing = {
        "cron": cron,
        "every": _seconds(checks, "every", every),
        "timezone": timezone,
        "starts_at": _instant(checks, "starts_at", starts_at, timezone),
        "ends_at": _instant(checks, "ends_at", ends_at, timezone),
        "jitter": _seconds(checks, "jitter", jitter),
    }
    if (cron is None) == (every is None):
        checks.refuse(
            'say when it fires: a cron expression such as "0 2 * * *", or every="15m"'
            + (", not both" if cron else "")
        )
    elif cron is not None and not isinstance(cron, str):
        checks.refuse(f"cron is {cron!r}; write it like '0 2 * * *'")
    elif not isinstance(timezone, str):
        checks.refuse(f"timezone is {timezone!r}; write it like 'Europe/Paris'")
    elif every is not None and timezone != "UTC":
        checks.refuse("timezone is for cron expressions: an interval is the same everywhere")
    if len(checks.messages) == before:
        _check_times(checks, timing)
    return timing


def _check_times(checks: Checks, timing: dict[str, Any]) -> None:
    """The options by themselves are right; see whether together they fire."""
    every, jitter = timing["every"], timing["jitter"]
    if every is not None and jitter is not None and jitter > every:
        checks.refuse("jitter is longer than every")
    try:
        Timing.from_options(timing)
    except ValueError as error:
        checks.refuse(str(error))


def _instant(checks: Checks, name: str, value: Any, timezone: Any) -> str | None:
    """As published: RFC 3339 in UTC. Without an offset it is meant in the schedule's time zone."""
    if value is None:
        return None
    if not isinstance(value, datetime | str):
        checks.refuse(f"{name} is {value!r}; write it like '2027-01-01T00:00:00Z'")
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=read_zone(timezone))
        return rfc3339(instant)
    except (ValueError, OverflowError) as error:
        checks.refuse(f"{name}: {error}; write it like '2027-01-01T00:00:00Z'")
        return None


def _seconds(checks: Checks, name: str, value: Any) -> float | None:
    duration = checks.duration(name, value)
    return None if duration is None else duration.total_seconds()


def _one_of(checks: Checks, name: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        checks.refuse(f"{name} is {value!r}; it is one of {', '.join(known)}")
    return str(value)


def _payload(checks: Checks, payload: Any) -> Any:
    """As JSON; models and dataclasses may be given, too."""
    try:
        return Codec(Any, "input").dump(payload, what="payload")
    except KeystrokeError as error:
        checks.refuse(str(error))
        return None
