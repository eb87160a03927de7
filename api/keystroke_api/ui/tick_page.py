"""`/triggers/{id}/ticks/{tick}`: one tick, with what it found, said and started."""

from __future__ import annotations

from flask import Response

from keystroke.clock import rfc3339
from keystroke.domain.secrets import redact
from keystroke.domain.trigger_event import TriggerEvent
from keystroke.operations.api_keys import Principal
from keystroke.store import trigger_events
from keystroke_api.services import services
from keystroke_api.trigger_json import hidden
from keystroke_api.triggers import find_trigger
from keystroke_api.ui.contexts import Link
from keystroke_api.ui.event_rows import event_row
from keystroke_api.ui.log_lines import shown_line
from keystroke_api.ui.notices import take_notice
from keystroke_api.ui.showing import show
from keystroke_api.ui.trigger_contexts import TickPage
from keystroke_api.ui.wording import duration_text, full_time_text

_MOST_LINES = 1_000


def get_tick_page(caller: Principal, trigger_id: str, tick_id: str) -> Response:
    """The tick of that trigger."""
    _, source = find_trigger(caller, trigger_id, None)
    with services().database.read() as tx:
        tick = trigger_events.get_event(caller.scope, tx, source, tick_id)
        _, lines = trigger_events.list_event_trace(caller.scope, tx, tick, limit=_MOST_LINES)
    error = redact(tick.error, hidden())
    page = TickPage(
        trigger=Link(source.manifest.name, f"/triggers/{source.id}"), row=event_row(tick, source.id), facts=_facts(tick),
        error={"message": error} if isinstance(error, str) else error, found=redact(tick.found, hidden()),
        lines=[shown_line(number, each, tick.started_at or tick.at) for number, each in enumerate(lines)],
        notice=take_notice(),
    )  # fmt: skip
    return show("tick.html", page, title=f"Tick of {source.manifest.name}", section="triggers")


def _facts(tick: TriggerEvent) -> list[tuple[str, str]]:
    took = None
    if tick.started_at and tick.finished_at:
        took = round((tick.finished_at - tick.started_at).total_seconds() * 1000)
    facts = [
        ("Tick id", tick.id), ("Stands for", full_time_text(rfc3339(tick.scheduled_at))),
        ("Made", full_time_text(rfc3339(tick.at))), ("Began", full_time_text(rfc3339(tick.started_at))),
        ("Ended", full_time_text(rfc3339(tick.finished_at))), ("Took", duration_text(took) if took is not None else ""),
        ("Attempts", str(tick.attempt) if tick.attempt else ""), ("By", tick.actor.name if tick.actor else ""),
        ("Trace id", tick.trace_id or ""),
    ]  # fmt: skip
    return [(label, value) for label, value in facts if value]
