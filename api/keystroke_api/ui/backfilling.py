"""Starting a backfill from the page of its schedule, trying what it would do, and stopping one."""

from __future__ import annotations

from flask import Response, redirect, request

from keystroke.errors import InvalidTriggerChange, PathError
from keystroke.operations.api_keys import Principal
from keystroke.operations.backfill_trigger import (
    BackfillRequest,
    cancel_backfill,
    plan_backfill,
    start_backfill,
)
from keystroke.store.sources import Source
from keystroke_api.rest.texts import parse_time
from keystroke_api.services import services
from keystroke_api.triggers import find_trigger
from keystroke_api.ui.backfill_form import FIELDS, backfill_part
from keystroke_api.ui.notices import leave_notice
from keystroke_api.ui.trigger_page import Entered, shown
from keystroke_api.ui.wording import counted


def backfill_from_page(caller: Principal, trigger_id: str) -> Response:
    """Start one, or say what it would do; where the range makes no sense, the form comes back with it and says why."""
    project, source = find_trigger(caller, trigger_id, None)
    entered = {name: request.form.get(name, "").strip() for name in FIELDS}
    try:
        wanted = _request(caller, source, entered)
        if request.form.get("how") == "dry-run":
            said = _plan(source, wanted)
        else:
            made = start_backfill(services().database, project, source.id, wanted)
            answer = redirect(f"/triggers/{source.id}#backfill", 303)
            return leave_notice(answer, f"The backfill has begun: {counted(made.total, 'time')}.")
    except InvalidTriggerChange as refused:
        errors = [f"{each.path.removeprefix('$.')} {each.message}" for each in refused.errors]
        part = backfill_part(caller, source, entered, errors=errors)
        return shown(caller, project, source, Entered(backfills=part, status=422))
    part = backfill_part(caller, source, entered, said=said)
    return shown(caller, project, source, Entered(backfills=part))


def stop_from_page(caller: Principal, trigger_id: str, backfill_id: str) -> Response:
    """Cancel it; what it has started goes on."""
    stopped = cancel_backfill(services().database, caller.scope, caller.actor, backfill_id)
    answer = redirect(f"/triggers/{trigger_id}#backfill", 303)
    return leave_notice(answer, f"Stopped, after {counted(stopped.fired, 'time')}.")


def _request(caller: Principal, source: Source, entered: dict[str, str]) -> BackfillRequest:
    times, errors = {}, []
    for name in ("from", "to"):
        try:
            times[name] = parse_time(entered[name])
        except ValueError as error:
            errors.append(PathError(f"$.{name}", str(error)))
    if errors:
        raise InvalidTriggerChange(what=f"trigger {source.slug}", errors=errors)
    return BackfillRequest(caller.actor, times["from"], times["to"], entered["reprocess"] == "true")


def _plan(source: Source, wanted: BackfillRequest) -> str:
    with services().database.read() as tx:
        plan = plan_backfill(tx, source, wanted)
    skipped = f"; for {counted(plan.skipped, 'other')} it has fired" if plan.skipped else ""
    return f"It would fire for {counted(plan.fires, 'time')}{skipped}."
