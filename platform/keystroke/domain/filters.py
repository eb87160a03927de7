"""Which runs a list shows. Values of one filter are alternatives, different filters all have to hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Every filter of `GET /runs`; an empty tuple or None does not filter. Durations are milliseconds.

    `trigger` holds types or attachment ids, `tags` pairs of key and value, `projects` slugs.
    """

    status: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    tag: tuple[tuple[str, str], ...] = ()
    deployment: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    parent: tuple[str, ...] = ()
    min_cost: Decimal | None = None
    max_cost: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    min_steps: int | None = None
    max_steps: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `limit` rows, older than the run named by `before` (a run id, the cursor)."""

    limit: int = 50
    before: str | None = None
