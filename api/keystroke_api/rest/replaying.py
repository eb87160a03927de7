"""Replaying a run."""

from __future__ import annotations

from flask import Response

from keystroke.operations.api_keys import Principal
from keystroke.operations.replay_run import ReplayRequest
from keystroke_api.auth import Role
from keystroke_api.operation import operation
from keystroke_api.replaying import replay
from keystroke_api.rest.reading import whole_run_id
from keystroke_api.rest.requests import ReplayBody, StartHeaders
from keystroke_api.rest.starting import STARTED_ANSWERS, answer_started
from keystroke_api.rest.texts import API
from keystroke_api.services import services


@operation(
    "POST", f"{API}/runs/<run_id>/replay", role=Role.RUNNER, problems=(404, 409), body_optional=True,
    answers=STARTED_ANSWERS,
)  # fmt: skip
def replay_run(caller: Principal, run_id: str, headers: StartHeaders, body: ReplayBody) -> Response:
    """Start a new run of the same workflow: with the same input or another one, from the beginning or from a step."""
    with services().database.read() as tx:
        found = whole_run_id(caller.scope, tx, run_id)
    wanted = ReplayRequest(
        found, caller.actor, body.from_step, body.edited, headers.idempotency_key, headers.traceparent
    )
    return answer_started(caller, replay(caller, wanted), headers)
