"""Values that people write on the command line: JSON, tags, moments. Wrong ones are usage errors (exit 2)."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from keystroke.domain.durations import parse_duration


def read_json(text: str | None) -> Any:
    """The JSON of `--input`: itself, `@file`, or `-` for stdin. Nothing given is null."""
    if text is None:
        return None
    source, content = _content(text)
    try:
        return _strict_json(content)
    except RecursionError as error:
        raise click.UsageError(f"--input: {source} is no JSON: it is nested too deeply") from error
    except ValueError as error:
        raise click.UsageError(f"--input: {source} is no JSON: {error}") from error


def _strict_json(text: str) -> Any:
    """JSON as every server reads it: Python alone takes NaN, numbers without end and half characters."""
    value = json.loads(text, parse_constant=_no_number, parse_float=_float, parse_int=_integer)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a character (a lone surrogate)") from error
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError("a number has too many digits") from error


def _content(text: str) -> tuple[str, str]:
    if text == "-":
        return "what stdin gave", sys.stdin.read()
    if not text.startswith("@"):
        return "the text", text
    try:
        return text[1:], Path(text[1:]).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"--input: {text[1:]} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise click.UsageError(f"--input: {text[1:]} cannot be read: it is no UTF-8 text") from error


def read_tags(pairs: Sequence[str]) -> dict[str, str]:
    """`k=v` options as a mapping."""
    tags: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--tag {pair}: write key=value")
        tags[key] = value
    return tags


def read_moment(option: str, text: str | None) -> str | None:
    """A moment in the past as RFC 3339 UTC: a time, or how long ago (`2h`, `3d`)."""
    return None if text is None else _rfc3339(parse_moment(option, text))


def read_future_moment(option: str, text: str | None) -> str | None:
    """A moment in the future as RFC 3339 UTC: a time, or how long from now."""
    return None if text is None else _rfc3339(parse_moment(option, text, ahead=True))


def parse_moment(option: str, text: str, *, ahead: bool = False) -> datetime:
    """A time as written (local where it names no zone), or so long ago, or from now."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        away = _duration(option, text)
    return datetime.now(UTC) + (away if ahead else -away)


def _duration(option: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.UsageError(
            f"{option} {text}: write a duration (90s, 2h, 3d) or a time (2026-01-31T12:00)"
        ) from error


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
