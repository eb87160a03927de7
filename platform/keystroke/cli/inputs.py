"""Values that people write on the command line: JSON, tags, moments. Wrong ones are usage errors (exit 2)."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
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
        return json.loads(content)
    except ValueError as error:
        raise click.UsageError(f"--input: {source} is no JSON: {error}") from error


def _content(text: str) -> tuple[str, str]:
    if text == "-":
        return "what stdin gave", sys.stdin.read()
    if not text.startswith("@"):
        return "the text", text
    try:
        return text[1:], Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--input: {text[1:]} cannot be read: {error}") from error


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
    """A moment as RFC 3339 UTC: as written (local where it names no zone), or so long ago (`2h`, `3d`)."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _ago(option, text)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _ago(option: str, text: str) -> datetime:
    try:
        return datetime.now(UTC) - parse_duration(text)
    except ValueError as error:
        raise click.UsageError(
            f"{option} {text}: write how long ago (90s, 2h, 3d) or a time (2026-01-31T12:00)"
        ) from error
