"""Spans and log lines of a run, in OpenTelemetry terms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One span: hexadecimal ids (16 digits), OpenTelemetry kind and status names in lower case."""

    span_id: str
    parent_id: str | None
    name: str
    kind: str
    start: datetime
    end: datetime | None
    status: str
    attributes: dict[str, Any] = field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record: `severity` is DEBUG, INFO, WARNING, ERROR or CRITICAL; `step` the identity of its step."""

    at: datetime
    severity: str
    body: str
    logger: str
    span_id: str | None = None
    step: str | None = None


def root_span_id(run_id: str) -> str:
    """The id of a run's root span, the same for all of its attempts."""
    return hashlib.sha256(f"{run_id} root span".encode()).hexdigest()[:16]
