"""JSON answers, and how lists in them go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from flask import Response

T = TypeVar("T")
_RUN: Final = "run_"


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of this JSON value."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), mimetype="application/json")


def part_of(
    found: Sequence[T], limit: int, place_of: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, Any]]:
    """What to show of rows of which one more was asked for, and `next_cursor` and `has_more`: where it goes on behind them."""
    shown, more = found[:limit], len(found) > limit
    return shown, {"next_cursor": place_of(shown[-1]) if more else None, "has_more": more}


def to_cursor(run_id: str) -> str:
    """Where a list of runs goes on after a run, as opaque text: its id without what all ids begin with."""
    return run_id.removeprefix(_RUN)


def from_cursor(cursor: str) -> str:
    """The id of the run that a cursor stands for."""
    return f"{_RUN}{cursor}"
