"""What the forms of a trigger's page do: pause, resume, disable, enable, switch what is attached."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import Response, redirect, request

from keystroke.domain.durations import parse_duration
from keystroke.errors import InvalidTriggerChange, PathError, TickEnded
from keystroke.operations.api_keys import Principal
from keystroke.operations.set_trigger import Pause, TriggerChange, set_trigger
from keystroke.store.sources import Source
from keystroke_api.auth import Role, require_role
from keystroke_api.canceling import cancel_of_trigger
from keystroke_api.services import services
from keystroke_api.triggers import find_trigger
from keystroke_api.ui.event_rows import event_url
from keystroke_api.ui.notices import leave_notice

_LONGEST_PAUSE: Final = timedelta(days=366)
_DONE: Final = {
    "pause": "Paused.", "resume": "It goes on, from its next time.", "disable": "Disabled.", "enable": "Enabled.",
    "switch-off": "Switched off.", "switch-on": "Switched on.",
}  # fmt: skip


def set_from_page(caller: Principal, trigger_id: str) -> Response:
    """Do what the pressed button says; the trigger's page shows it."""
    require_role(caller, Role.ADMIN)
    project, source = find_trigger(caller, trigger_id, None)
    do = "pause" if "pause" in request.form else request.form.get("do", "")
    set_trigger(services().database, caller.actor, project, source.id, _change(source, do))
    return leave_notice(redirect(f"/triggers/{source.id}", 303), _DONE[do])


def cancel_tick_from_page(caller: Principal, trigger_id: str, tick_id: str) -> Response:
    """Cancel a poll's tick; its page says what became of it."""
    _, source = find_trigger(caller, trigger_id, None)
    try:
        cancel_of_trigger(caller, source, tick_id)
    except TickEnded as ended:
        said = str(ended)
    else:
        said = "Canceled: nothing of it counts."
    return leave_notice(redirect(event_url(source.manifest.kind, source.id, tick_id), 303), said)


def _change(source: Source, do: str) -> TriggerChange:
    match do:
        case "pause":
            return TriggerChange(pause=Pause(source.now + _pause_of(source)))
        case "resume":
            return TriggerChange(pause=Pause(None))
        case "disable" | "enable":
            return TriggerChange(disabled=do == "disable")
        case "switch-off" | "switch-on":
            return TriggerChange(attachments={request.form.get("workflow", ""): do == "switch-off"})
    wrong = PathError("$.do", f"is {do!r}; it is one of {', '.join(_DONE)}")
    raise InvalidTriggerChange(what=f"trigger {source.slug}", errors=[wrong])


def _pause_of(source: Source) -> timedelta:
    try:
        pause = parse_duration(request.form["pause"])
    except (ValueError, TypeError) as error:
        wrong = [PathError("$.pause", str(error))]
        raise InvalidTriggerChange(what=f"trigger {source.slug}", errors=wrong) from error
    return min(pause, _LONGEST_PAUSE)
