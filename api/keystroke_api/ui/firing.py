"""Firing a trigger from its page, and trying what would come of it."""

from __future__ import annotations

from typing import Final

from flask import Response, redirect, request

from keystroke.errors import InvalidPayload, NotJson, PayloadTooLarge
from keystroke.operations.api_keys import Principal
from keystroke.operations.invoke_trigger import Firing
from keystroke.operations.try_trigger import try_trigger
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.rest.firing import fire, trial_json
from keystroke_api.services import services
from keystroke_api.triggers import find_trigger
from keystroke_api.ui.entry import Entry
from keystroke_api.ui.event_rows import event_url
from keystroke_api.ui.notices import leave_notice
from keystroke_api.ui.trigger_page import Entered, shown

#: What is wrong with a payload, and can be mended in the form.
_MENDABLE: Final = (InvalidPayload, NotJson, PayloadTooLarge)
#: Seconds that the answer waits for a poll, so that most are over when their page is shown.
_POLL_WAIT: Final = 3


def fire_from_page(caller: Principal, trigger_id: str) -> Response:
    """Fire it, or try it; where the payload does not fit, the form comes back with it and says why."""
    project, source = find_trigger(caller, trigger_id, None)
    entry = Entry(entered=request.form, json=request.form.get("json"))
    firing = _firing(caller, source, entry)
    if entry.refused:
        return shown(caller, project, source, Entered(entry, status=422))
    if firing.dry_run and source.manifest.kind != "poll":
        return _tried(caller, project, source, entry, firing)
    try:
        event = fire(caller, project, source, firing, _POLL_WAIT if source.manifest.kind == "poll" else 0)
    except _MENDABLE as refused:
        entry.refuse(refused)
        return shown(caller, project, source, Entered(entry, status=422))
    said = "Tried: nothing was started." if firing.dry_run else "Fired."
    return leave_notice(redirect(event_url(source.manifest.kind, source.id, event["id"]), 303), said)


def _firing(caller: Principal, source: Source, entry: Entry) -> Firing:
    workflow, dry_run = request.form.get("workflow") or None, request.form.get("how") == "dry-run"
    if source.manifest.kind == "poll":
        return Firing(caller.actor, dry_run=dry_run)
    value = entry.read(source.manifest.payload_schema or {})
    return Firing(caller.actor, True, value, workflow, dry_run)


def _tried(caller: Principal, project: Project, source: Source, entry: Entry, firing: Firing) -> Response:
    with services().database.read() as tx:
        trial = try_trigger(caller.scope, tx, project, source, firing)
    return shown(caller, project, source, Entered(entry, trial=trial_json(trial)))
