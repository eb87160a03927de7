"""Backfills: made, looked at, canceled. Beat carries them out."""

from __future__ import annotations

from flask import Response, request

from keystroke.clock import rfc3339
from keystroke.domain.backfill import BackfillPlan
from keystroke.operations.api_keys import Principal
from keystroke.operations.backfill_trigger import BackfillRequest, plan_backfill, start_backfill
from keystroke.operations.backfill_trigger import cancel_backfill as cancel
from keystroke.store import backfills
from keystroke_api.answers import json_answer, part_of
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.texts import API
from keystroke_api.rest.trigger_documents import (
    BackfillDocument,
    BackfillList,
    BackfillPlanDocument,
)
from keystroke_api.rest.trigger_requests import BackfillBody, BackfillsQuery, TriggerQuery
from keystroke_api.services import services
from keystroke_api.trigger_json import Json
from keystroke_api.triggers import find_trigger

_MARK = "bfl_"


@operation(
    "POST", f"{API}/triggers/<trigger>/backfills", role=Role.RUNNER, problems=(404, 409),
    answers={
        200: Answer("What it would do (`dry_run`).", BackfillPlanDocument),
        202: Answer("It is recorded, and begins within a second.", BackfillDocument, {"Location": "Where it is."}),
    },
)  # fmt: skip
def create_backfill(caller: Principal, trigger: str, query: TriggerQuery, body: BackfillBody) -> Response:
    """Fire a schedule for the times of a range for which it has not fired; its runs come after all others that wait."""
    project, source = find_trigger(caller, trigger, query.project)
    wanted = BackfillRequest(caller.actor, body.from_, body.to, body.reprocess)
    own = services()
    if body.dry_run:
        with own.database.read() as tx:
            return json_answer(plan_json(plan_backfill(tx, source, wanted)))
    made = start_backfill(own.database, project, source.id, wanted)
    base = (own.settings.public_url or request.host_url).rstrip("/")
    return json_answer(made.as_json(), 202, {"Location": f"{base}{API}/backfills/{made.id}"})


@operation(
    "GET", f"{API}/triggers/<trigger>/backfills", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("Part of the list.", BackfillList)},
)  # fmt: skip
def list_backfills(caller: Principal, trigger: str, query: BackfillsQuery) -> Response:
    """The backfills of a trigger, newest first."""
    _, source = find_trigger(caller, trigger, query.project)
    before = None if query.cursor is None else _MARK + query.cursor
    with services().database.read() as tx:
        found = backfills.list_backfills(caller.scope, tx, source, before=before, limit=query.limit + 1)
    shown, further = part_of(found, query.limit, lambda each: each.id.removeprefix(_MARK))
    return json_answer({"data": [each.as_json() for each in shown], **further})


@operation(
    "GET", f"{API}/backfills/<backfill>", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The backfill.", BackfillDocument)},
)  # fmt: skip
def get_backfill(caller: Principal, backfill: str) -> Response:
    """One backfill, with how far it is."""
    with services().database.read() as tx:
        return json_answer(backfills.get_backfill(caller.scope, tx, backfill).as_json())


@operation(
    "POST", f"{API}/backfills/<backfill>/cancel", role=Role.RUNNER, problems=(404, 409),
    answers={200: Answer("It is canceled.", BackfillDocument)},
)  # fmt: skip
def cancel_backfill(caller: Principal, backfill: str) -> Response:
    """Fire for no more of its times; the runs that it has started go on."""
    return json_answer(cancel(services().database, caller.scope, caller.actor, backfill).as_json())


def plan_json(plan: BackfillPlan) -> Json:
    """What a backfill would do."""
    return {
        "dry_run": True, "total": plan.total, "fires": plan.fires, "skipped": plan.skipped,
        "times": [rfc3339(each) for each in plan.times],
    }  # fmt: skip
