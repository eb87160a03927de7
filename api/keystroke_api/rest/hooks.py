"""Hooks for whoever signs his requests: the list of those that wait, and answering one by its id."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keystroke.domain.asking import AskingStatus
from keystroke.operations.answer_hook import AnswerTaken, answer_by_id
from keystroke.operations.api_keys import Principal
from keystroke.store import answers
from keystroke.telemetry import announce
from keystroke.telemetry.events import HookWasAnswered
from keystroke_api.answers import json_answer, part_of
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, AnyJson, operation
from keystroke_api.rest.documents import Actor, Cursor, Time
from keystroke_api.rest.filters import RunId
from keystroke_api.rest.texts import API
from keystroke_api.services import services

_HOOK = "hook_"
HookCursor = Annotated[str, StringConstraints(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]


class HookDocument(BaseModel):
    """A hook, without what its link ends in: that is known to the run's code alone, which sends it to somebody."""

    id: str
    name: str
    status: AskingStatus
    run_id: str
    step: str = Field(description="Identity of the step that waits for it.")
    workflow: str
    workflow_name: str
    project: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of the answer.")
    one_click: bool = Field(description="Whether opening its link with `?confirm=1` answers it.")
    awaited: bool = Field(description="Whether the run rests until it is answered.")
    created_at: Time
    expires_at: Time | None
    answered_at: Time | None
    answered_by: Actor | None
    answered_from: str | None = Field(description="Address that the answer came from.")


class HookList(BaseModel):
    """Part of the list, newest first."""

    data: list[HookDocument]
    next_cursor: Cursor
    has_more: bool


class HooksQuery(BaseModel):
    """Which hooks."""

    model_config = ConfigDict(extra="forbid")

    status: AskingStatus | None = Field(
        default=None,
        description="`waiting` ones take an answer; `expired`: nobody answered in time; `ended`: their run ended before.",
    )
    run: RunId | None = Field(default=None, description="Of this run.")
    limit: int = Field(default=50, ge=1, le=200, description="Hooks in one answer.")
    cursor: HookCursor | None = Field(default=None, description="`next_cursor` of the answer before; opaque.")


@operation("GET", f"{API}/hooks", role=Role.VIEWER, answers={200: Answer("Part of the list.", HookList)})
def list_hooks(caller: Principal, query: HooksQuery) -> Response:
    """What runs have asked of somebody outside, newest first; with `status=waiting` what still wants an answer."""
    before = None if query.cursor is None else _HOOK + query.cursor
    with services().database.read() as tx:
        found = answers.list_hooks(
            caller.scope, tx, status=query.status, run_id=query.run, before=before, limit=query.limit + 1
        )
    shown, further = part_of(found, query.limit, lambda asking: asking.hook.id.removeprefix(_HOOK))
    return json_answer({"data": [asking.as_json() for asking in shown], **further})


@operation(
    "POST", f"{API}/hooks/<hook_id>/answer", role=Role.RUNNER, problems=(404, 409, 410),
    answers={200: Answer("The hook with the answer on record; the run goes on.", HookDocument)},
)  # fmt: skip
def answer_hook(caller: Principal, hook_id: str, body: AnyJson) -> Response:
    """Answer a hook: the body is the answer, and has to fit the hook's schema. The first answer counts."""
    return json_answer(answer_as(caller, hook_id, body.root).asking.as_json())


def answer_as(caller: Principal, hook_id: str, value: Any) -> AnswerTaken:
    """Answer for somebody who was identified, and let the run go on. Raises what `answer_by_id` does."""
    own = services()
    taken = answer_by_id(
        own.database, caller.scope, hook_id, value, caller.actor, request.remote_addr, own.settings, own.box
    )
    go_on(taken)
    return taken


def go_on(taken: AnswerTaken) -> None:
    """What is committed may be told: to the log, and to a worker of each queue where a run may go on."""
    hook = taken.asking.hook
    announce(HookWasAnswered(hook.id, hook.run_id, hook.answered_by.name if hook.answered_by else ""))
    services().wakeups.wake_all(taken.woken)
