"""Times: microseconds since 1970 UTC in the database, aware datetimes in Python, RFC 3339 in JSON.

Nothing here reads a clock for a decision: what is due, dead or expired is decided by the database's clock (`store.sql`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, overload

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@overload
def from_micros(value: int) -> datetime: ...
@overload
def from_micros(value: None) -> None: ...
def from_micros(value: int | None) -> datetime | None:
    """The aware UTC datetime of a database time."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)


@overload
def to_micros(value: datetime) -> int: ...
@overload
def to_micros(value: None) -> None: ...
def to_micros(value: datetime | None) -> int | None:
    """The database time of an aware datetime; a naive one is refused, since it names no instant."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone")
    return (value - _EPOCH) // _MICROSECOND


@overload
def rfc3339(value: datetime) -> str: ...
@overload
def rfc3339(value: None) -> None: ...
def rfc3339(value: datetime | None) -> str | None:
    """`2026-11-23T19:25:00.000000Z`: UTC, always six digits, so that the texts sort as the times do."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
