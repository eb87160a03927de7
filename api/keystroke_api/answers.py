"""JSON answers, and the opaque cursors in them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from flask import Response

from keystroke.errors import PathError
from keystroke_api.refusals import InvalidRequest


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of this JSON value."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), mimetype="application/json")


def to_cursor(position: str) -> str:
    """A position in a list as opaque text."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> str:
    """The position that a cursor stands for; InvalidRequest for what no answer ever contained."""
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError) as error:
        raise foreign_cursor() from error
    return position


def foreign_cursor() -> InvalidRequest:
    """The error for a cursor that did not come from this list."""
    return InvalidRequest(what="query", errors=[PathError("$.cursor", "is not a cursor of this list")])
