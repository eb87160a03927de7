"""Links from a run to what started it: its trigger, and the delivery or the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keystroke.domain.trigger_event import DELIVERY_MARK
from keystroke.operations.api_keys import Principal
from keystroke.store import access, sources
from keystroke_api.services import services
from keystroke_api.ui.event_rows import event_url

_KINDS: Final = ("webhook", "schedule", "poll")


@dataclass(frozen=True, slots=True)
class TriggerLinks:
    """Where a run's trigger and its event are shown; None where it has none."""

    trigger: str | None = None
    event: str | None = None


def trigger_links(caller: Principal, record: dict[str, Any]) -> TriggerLinks:
    """The links of a run as the API gives it. A replay leads to the delivery that the first run came from."""
    trigger = record["trigger"]
    event = trigger["id"]
    if trigger["type"] not in _KINDS:
        is_delivery = event is not None and event.startswith(DELIVERY_MARK)
        return TriggerLinks(event=event_url("webhook", "", event) if is_delivery else None)
    source_id = _source_id(caller, record)
    if source_id is None:
        return TriggerLinks()
    return TriggerLinks(f"/triggers/{source_id}", event and event_url(trigger["type"], source_id, event))


def _source_id(caller: Principal, record: dict[str, Any]) -> str | None:
    """Fired by hand, a run has whoever did it as its actor; its trigger is known by its slug then."""
    if record["actor"]["type"] == "trigger":
        return str(record["actor"]["id"])
    slug = (record["trigger"]["value"] or "").partition(":")[0]
    with services().database.read() as tx:
        project = access.get_project(caller.scope, tx, record["project"])
        source = sources.of_slug(tx, project.id, slug)
    return None if source is None else source.id
