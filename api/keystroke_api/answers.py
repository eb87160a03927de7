"""JSON answers, and the cursors of lists of runs in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from flask import Response

_RUN: Final = "run_"


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of this JSON value."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), mimetype="application/json")


def to_cursor(run_id: str) -> str:
    """Where a list of runs goes on after a run, as opaque text: its id without what all ids begin with."""
    return run_id.removeprefix(_RUN)


def from_cursor(cursor: str) -> str:
    """The id of the run that a cursor stands for."""
    return f"{_RUN}{cursor}"
