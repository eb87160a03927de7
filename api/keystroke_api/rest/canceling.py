"""Canceling a run."""

from __future__ import annotations

from flask import Response

from keystroke.operations.api_keys import Principal
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.canceling import cancel
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import Started
from keystroke_api.rest.reading import whole_run_id
from keystroke_api.rest.requests import CancelBody
from keystroke_api.rest.starting import started_json
from keystroke_api.rest.texts import API
from keystroke_api.services import services


@operation(
    "POST", f"{API}/runs/<run_id>/cancel", role=Role.RUNNER, problems=(404, 409), body_optional=True,
    answers={202: Answer("Canceled, or (still `running`) on its way to be.", Started)},
)  # fmt: skip
def cancel_run(caller: Principal, run_id: str, body: CancelBody) -> Response:
    """Cancel a run: at once unless it is running. Asking again meanwhile is harmless; a run that has ended is a 409.

    Its children are canceled with it, except those that were started detached.
    """
    own = services()
    with own.database.read() as tx:
        found = whole_run_id(caller.scope, tx, run_id)
    requested = cancel(caller, found)
    return json_answer(started_json(requested.run_id, requested.status), 202)
