"""Which trigger is meant, and reading it."""

from __future__ import annotations

from difflib import get_close_matches

from keystroke.errors import TriggerNotFound
from keystroke.operations.api_keys import Principal
from keystroke.operations.secret_health import secret_trouble, secret_troubles
from keystroke.store import access, sources, trigger_events
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.rest.workflows import find_default_project, find_project
from keystroke_api.services import services
from keystroke_api.trigger_json import Json, summary_json

_MARK = "trg_"


def find_trigger(caller: Principal, trigger: str, project: str | None) -> tuple[Project, Source]:
    """The trigger of that id, or of that slug in the named (else the default) project; TriggerNotFound names the nearest."""
    if trigger.startswith(_MARK):
        return _by_id(caller, trigger)
    found = find_default_project(caller) if project is None else find_project(caller, project)
    with services().database.read() as tx:
        source = sources.of_slug(tx, found.id, trigger)
        known = [] if source else [each.slug for each in sources.of_project(tx, found.id)]
    if source is None:
        near = get_close_matches(trigger, known, n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise TriggerNotFound(trigger=trigger, project=found.slug, hint=hint)
    return found, source


def _by_id(caller: Principal, trigger: str) -> tuple[Project, Source]:
    with services().database.read() as tx:
        source = sources.find_source(caller.scope, tx, trigger)
        project = access.find_project(caller.scope, tx, source.project_id) if source else None
    if source is None or project is None:
        raise TriggerNotFound(trigger=trigger, project="any", hint="")
    return project, source


def read_trigger(caller: Principal, project: Project, source: Source) -> Json:
    """The whole JSON of a trigger."""
    with services().database.read() as tx:
        last = trigger_events.list_events(caller.scope, tx, source, limit=1)
        counts = trigger_events.count_recent(caller.scope, tx, source)
    trouble = secret_trouble(source, services().secrets)
    summary = summary_json(project, source, last[0] if last else None, trouble)
    return summary | {"payload_schema": source.manifest.payload_schema, "counts": counts}


def read_triggers(caller: Principal, listed: list[tuple[Project, Source]]) -> list[Json]:
    """The JSON of several triggers as lists show them."""
    found = [source for _, source in listed]
    with services().database.read() as tx:
        last = trigger_events.list_last_events(caller.scope, tx, found)
    troubles = secret_troubles(found, services().secrets)
    return [
        summary_json(project, source, last.get(source.id), troubles.get(source.id))
        for project, source in listed
    ]
