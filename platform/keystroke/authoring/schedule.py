"""Schedules: sources that fire by the clock."""

from __future__ import annotations

from typing import Any

from keystroke.authoring.definition import report_at
from keystroke.authoring.source import Source, caller_place, slug_problems


class Schedule(Source):
    """A source that fires by the clock; made by `schedule`."""

    kind = "schedule"


def schedule(slug: str, cron: str | None = None, *, timezone: str = "UTC", payload: Any = None) -> Schedule:
    """A source that fires at the times of a cron expression."""
    place, module = caller_place()
    report_at(place, slug_problems(f"schedule {slug}", slug))
    options = {"cron": cron, "timezone": timezone, "payload": payload}
    return Schedule(slug, options=options, place=place, module=module)
