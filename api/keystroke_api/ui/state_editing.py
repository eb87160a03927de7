"""Editing what a poll goes on from, from its page."""

from __future__ import annotations

from typing import Final

from flask import Response, redirect, request

from keystroke.errors import InvalidState, NotJson, PayloadTooLarge, StateChanged
from keystroke.operations.api_keys import Principal
from keystroke.operations.set_poll_state import StateEdit, set_poll_state
from keystroke_api.auth import Role, require_role
from keystroke_api.refusals import InvalidJson
from keystroke_api.services import services
from keystroke_api.strict_json import parse_json
from keystroke_api.triggers import find_trigger
from keystroke_api.ui.notices import leave_notice
from keystroke_api.ui.state_form import state_part
from keystroke_api.ui.trigger_page import Entered, shown

#: What is wrong with what was entered, and can be mended in the form.
_MENDABLE: Final = (InvalidState, InvalidJson, NotJson, PayloadTooLarge, StateChanged)


def set_state_from_page(caller: Principal, trigger_id: str) -> Response:
    """Put it in place of the state that the page had shown; where that is not possible, the form comes back and says why."""
    require_role(caller, Role.ADMIN)
    project, source = find_trigger(caller, trigger_id, None)
    text, own = request.form.get("state", ""), services()
    try:
        edit = StateEdit(parse_json(text.encode()), caller.actor, request.form.get("version") or None)
        set_poll_state(own.database, project, source.id, edit, own.settings, own.box)
    except _MENDABLE as refused:
        listed = [f"{each.path}: {each.message}" for each in getattr(refused, "errors", [])]
        part = state_part(caller, source, text, listed or [str(refused)])
        return shown(caller, project, source, Entered(state=part, status=422))
    return leave_notice(redirect(f"/triggers/{source.id}", 303), "Saved. The next tick goes on from it.")
