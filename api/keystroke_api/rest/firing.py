"""Firing triggers by hand, and trying what would come of it."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from keystroke.domain.secrets import redact
from keystroke.domain.source import attachment_id
from keystroke.operations.api_keys import Principal
from keystroke.operations.invoke_trigger import Firing, Invoked, invoke_trigger
from keystroke.operations.try_trigger import Trial, try_trigger
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.texts import API
from keystroke_api.rest.trigger_documents import DryRun, TriggerEventDetail
from keystroke_api.rest.trigger_requests import FireBody, FireHeaders, TriggerQuery
from keystroke_api.rest.triggers import read_event
from keystroke_api.services import services
from keystroke_api.starting import wake_and_interrupt
from keystroke_api.tick_waits import wait_for_tick
from keystroke_api.trigger_json import Json, hidden
from keystroke_api.triggers import find_trigger

_HEADERS = {"Location": "Where the delivery or the tick is."}


@operation(
    "POST", f"{API}/triggers/<trigger>/invoke", role=Role.RUNNER, problems=(404, 409), body_optional=True,
    answers={
        200: Answer("It has ended, with the runs that it started.", TriggerEventDetail, _HEADERS),
        202: Answer("A worker is to execute the poll.", TriggerEventDetail, _HEADERS),
    },
)  # fmt: skip
def invoke(
    caller: Principal, trigger: str, query: TriggerQuery, headers: FireHeaders, body: FireBody
) -> Response:
    """Fire a trigger by hand, disabled or paused as it may be: a webhook with a payload, a schedule for now, a poll by a tick."""
    project, source = find_trigger(caller, trigger, query.project)
    event = fire(caller, project, source, _firing(caller, body), headers.wait)
    location = f"{(services().settings.public_url or request.host_url).rstrip('/')}{API}/triggers/{source.id}/runs/{event['id']}"
    return json_answer(event, 202 if event["outcome"] is None else 200, {"Location": location})


@operation(
    "POST", f"{API}/triggers/<trigger>/dry-run", role=Role.RUNNER, problems=(404, 409), body_optional=True,
    answers={
        200: Answer("What would have been started.", DryRun),
        202: Answer("A worker is to execute the poll; look at its event.", DryRun),
    },
)  # fmt: skip
def dry_run(
    caller: Principal, trigger: str, query: TriggerQuery, headers: FireHeaders, body: FireBody
) -> Response:
    """Try a trigger without starting anything: what a payload would start; of a poll, what it finds now, its state left alone."""
    project, source = find_trigger(caller, trigger, query.project)
    firing = _firing(caller, body, dry_run=True)
    if source.manifest.kind == "poll":
        event = fire(caller, project, source, firing, headers.wait)
        tried: Json = {
            "event": event,
            "errors": [],
            "held": None,
            "would_start": _starts(source, event["found"]),
        }
        return json_answer(tried, 202 if event["outcome"] is None else 200)
    with services().database.read() as tx:
        trial = try_trigger(caller.scope, tx, project, source, firing)
    return json_answer(trial_json(trial))


def fire(caller: Principal, project: Project, source: Source, firing: Firing, wait: int = 0) -> Json:
    """Fire it, wake whom it concerns, perhaps wait for a poll's tick; the event's JSON. Raises what `invoke_trigger` does."""
    own = services()
    invoked = invoke_trigger(own.database, project, source.id, firing, own.settings, own.box)
    _tell(invoked)
    if wait and invoked.outcome is None:
        wait_for_tick(caller.scope, source, invoked.event_id, wait)
    return read_event(caller, source, invoked.event_id)


def trial_json(trial: Trial) -> Json:
    """What would have been started."""
    return {
        "event": None,
        "errors": [each.as_json() for each in trial.errors],
        "held": trial.held,
        "would_start": [
            {
                "attachment": each.attachment, "workflow": each.workflow, "transform": each.transform,
                "payload": redact(each.payload, hidden()), "input": redact(each.input, hidden()),
                "errors": [error.as_json() for error in each.errors],
            }
            for each in trial.would_start
        ],
    }  # fmt: skip


def _firing(caller: Principal, body: FireBody, *, dry_run: bool = False) -> Firing:
    return Firing(caller.actor, body.gives_payload, body.payload, body.workflow, dry_run)


def _tell(invoked: Invoked) -> None:
    """What is committed may be told."""
    for each in invoked.started:
        wake_and_interrupt(each)
    if not invoked.started:
        services().wakeups.wake_all(invoked.woken)


def _starts(source: Source, found: Any) -> list[Json]:
    """The runs that a poll's dry run would have started."""
    behind = {
        attachment_id(source.slug, each.workflow): each.manifest.transform for each in source.attachments
    }
    return [
        {
            "attachment": each["attachment"], "workflow": each["attachment"].partition(":")[2],
            "transform": (transform := behind.get(each["attachment"], False)), "payload": each["payload"],
            "input": None if transform else each["payload"], "errors": [],
        }
        for each in (found or {}).get("starts", ())
    ]  # fmt: skip
