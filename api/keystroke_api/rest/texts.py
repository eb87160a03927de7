"""The kinds of text and time that requests carry, with the bounds that keep each of them harmless."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

API: Final = "/api/v1"
_NO_NUL: Final = r"^[^\x00]*$"
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
_YEARS: Final = r"^(19[7-9][0-9]|[2-9][0-9]{3})-"

#: A text of a filter: no database keeps NUL, and nobody looks for a novel.
Text = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_NO_NUL)]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_NO_NUL)]
TagValue = Annotated[str, StringConstraints(max_length=500, pattern=_NO_NUL)]
StepIdentity = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=_NO_NUL)]
#: Printable ASCII, as a header can carry it.
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[ -~]+$")]


def parse_time(value: Any) -> datetime:
    """An RFC 3339 time with its offset; ValueError for anything else, and for times no database keeps."""
    if not isinstance(value, str) or not _RFC3339.match(value):
        raise ValueError("is not an RFC 3339 time with an offset, such as 2026-11-23T20:00:00Z")
    time = datetime.fromisoformat(value.upper())
    if not _EARLIEST <= time < _LATEST:
        raise ValueError(f"is not between {_EARLIEST:%Y-%m-%d} and {_LATEST:%Y-%m-%d}")
    return time


Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "pattern": _YEARS, "examples": ["2026-11-23T20:00:00Z"]}
    ),
]
