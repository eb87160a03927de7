"""What a poll goes on from: looked at, and edited."""

from __future__ import annotations

from flask import Response

from keystroke.clock import rfc3339
from keystroke.domain.secrets import redact
from keystroke.operations.api_keys import Principal
from keystroke.operations.set_poll_state import ShownState, StateEdit, poll_state, set_poll_state
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.texts import API
from keystroke_api.rest.trigger_documents import StateDocument
from keystroke_api.rest.trigger_requests import StateBody, StateHeaders, TriggerQuery
from keystroke_api.services import services
from keystroke_api.trigger_json import Json, hidden
from keystroke_api.triggers import find_trigger

_HEADERS = {"ETag": "The version of this state, for `If-Match`."}


@operation(
    "GET", f"{API}/triggers/<trigger>/state", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The state.", StateDocument, _HEADERS)},
)  # fmt: skip
def get_poll_state(caller: Principal, trigger: str, query: TriggerQuery) -> Response:
    """What a poll goes on from, with the schema that it has to fit."""
    _, source = find_trigger(caller, trigger, query.project)
    with services().database.read() as tx:
        return _answer(poll_state(tx, source), payloads=caller.scope.payloads)


@operation(
    "PUT", f"{API}/triggers/<trigger>/state", role=Role.ADMIN, problems=(404, 409, 412),
    answers={200: Answer("The state as it is now.", StateDocument, _HEADERS)},
)  # fmt: skip
def put_poll_state(
    caller: Principal, trigger: str, query: TriggerQuery, headers: StateHeaders, body: StateBody
) -> Response:
    """Have a poll go on from another state. Of a tick that is under way nothing counts then: it is looked again from this one."""
    project, source = find_trigger(caller, trigger, query.project)
    own = services()
    edit = StateEdit(body.state, caller.actor, headers.version or body.version)
    shown = set_poll_state(own.database, project, source.id, edit, own.settings, own.box)
    return _answer(shown, payloads=caller.scope.payloads)


def state_json(shown: ShownState, *, payloads: bool) -> Json:
    """The state as it is served, redacted."""
    written = shown.written
    return {
        "state": redact(shown.value, hidden()) if payloads else None, "version": shown.version,
        "updated_at": rfc3339(written.updated_at) if written else None, "updated_by": written.updated_by if written else None,
        "schema": shown.schema, "under_way": shown.under_way,
    }  # fmt: skip


def _answer(shown: ShownState, *, payloads: bool) -> Response:
    return json_answer(state_json(shown, payloads=payloads), 200, {"ETag": f'"{shown.version}"'})
