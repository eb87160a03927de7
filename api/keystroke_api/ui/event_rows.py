"""Deliveries and ticks as rows: what they came to in words, with a mark that says the same."""

from __future__ import annotations

import re
from typing import Any, Final

from keystroke.domain.source import Outcome
from keystroke.domain.trigger_event import BACKFILL, INVOKED, REPLAYED, TriggerEvent
from keystroke_api.trigger_json import hidden
from keystroke_api.ui.contexts import Link
from keystroke_api.ui.trigger_contexts import EventRow
from keystroke_api.ui.wording import counted

MOST_RUNS: Final = 3
_PLACE: Final = re.compile(r"[0-9a-hjkmnp-tv-z]{26}\Z")
#: The status whose mark and colour an outcome has, and what is said of it.
OUTCOMES: Final[dict[Outcome | None, tuple[str, str]]] = {
    None: ("running", "Under way"),
    "fired": ("success", "Fired"),
    "filtered": ("canceled", "Nothing to start"),
    "skipped_overlap": ("canceled", "Skipped"),
    "duplicate": ("canceled", "Duplicate"),
    "rejected": ("failed", "Rejected"),
    "unrouted": ("queued", "Not routed"),
    "error": ("failed", "Failed"),
    "missed": ("sleeping", "Missed"),
}


def event_row(event: TriggerEvent, trigger_id: str) -> EventRow:
    """A delivery or a tick as a row of its trigger."""
    mark, words = OUTCOMES[event.outcome]
    return EventRow(
        event=event.as_json(hidden()), mark=mark, words=f"Dry run: {words.lower()}" if event.dry_run else words,
        why=_why(event), url=event_url(event.kind, trigger_id, event.id), runs=run_links(event.run_ids),
        runs_left_out=max(len(event.run_ids) - MOST_RUNS, 0),
    )  # fmt: skip


def event_url(kind: str, trigger_id: str, event_id: str) -> str:
    """The page of a delivery or a tick."""
    return f"/deliveries/{event_id}" if kind == "webhook" else f"/triggers/{trigger_id}/ticks/{event_id}"


def run_links(run_ids: tuple[str, ...] | list[str], most: int = MOST_RUNS) -> list[Link]:
    """The first runs that an event has started."""
    return [Link(f"run {run_id[-6:]}", f"/history/{run_id}") for run_id in run_ids[:most]]


def is_place(text: str) -> bool:
    """Whether it could be the cursor of a list of events: what follows the mark of an id."""
    return _PLACE.match(text) is not None


def error_line(error: Any) -> str:
    """An error in a line: its message, or the first thing that was wrong."""
    if isinstance(error, dict):
        listed = error.get("errors") or []
        first = f"{listed[0]['path']}: {listed[0]['message']}" if listed else ""
        return first or str(error.get("message") or error.get("detail") or error.get("title") or "")
    return str(error or "")


def _why(event: TriggerEvent) -> str:
    parts = [error_line(event.error).partition("\n")[0]] if event.error else []
    if event.outcome == "skipped_overlap" and not parts:
        parts.append("one was still going on")
    if event.missed:
        parts.append(f"{counted(event.missed, 'time')} before it without a run")
    if event.origin.startswith(INVOKED):
        parts.append(f"by hand{f', {event.actor.name}' if event.actor else ''}")
    elif event.origin.startswith(BACKFILL):
        parts.append("backfill")
    elif event.origin.startswith(REPLAYED):
        parts.append("replay")
    return " · ".join(parts)
