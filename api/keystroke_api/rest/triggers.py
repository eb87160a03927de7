"""Triggers: the list, one of them, what it did and will do, and what operators set on it."""

from __future__ import annotations

from flask import Response

from keystroke.clock import rfc3339
from keystroke.domain.presentation import log_json, span_json
from keystroke.domain.secrets import redact
from keystroke.errors import WrongTriggerKind
from keystroke.operations.api_keys import Principal
from keystroke.operations.set_trigger import Pause, TriggerChange, timing_of
from keystroke.operations.set_trigger import set_trigger as change_trigger
from keystroke.store import access, sources, trigger_events
from keystroke.store.sources import Source
from keystroke_api.answers import json_answer, part_of
from keystroke_api.auth import Role
from keystroke_api.canceling import cancel_of_trigger
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.texts import API
from keystroke_api.rest.trigger_documents import (
    FireList,
    TriggerDocument,
    TriggerEventDetail,
    TriggerEventList,
    TriggerList,
)
from keystroke_api.rest.trigger_requests import (
    EventsQuery,
    PreviewQuery,
    TriggerPatch,
    TriggerQuery,
    TriggersQuery,
)
from keystroke_api.services import services
from keystroke_api.trigger_json import Json, hidden
from keystroke_api.triggers import find_trigger, read_trigger, read_triggers

_MOST_LINES = 1_000


@operation(
    "GET", f"{API}/triggers", role=Role.VIEWER, problems=(404,), answers={200: Answer("The triggers.", TriggerList)}
)  # fmt: skip
def list_triggers(caller: Principal, query: TriggersQuery) -> Response:
    """The triggers that the code has, by project and slug, each with how it is doing and its newest event."""
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
        if query.project is not None:
            projects = [access.get_project(caller.scope, tx, query.project)]
        listed = [
            (project, source)
            for project in projects
            for source in sources.of_project(tx, project.id, retired=query.retired)
            if _is_wanted(source, query)
        ]
    return json_answer({"data": read_triggers(caller, listed)})


@operation(
    "GET", f"{API}/triggers/<trigger>", role=Role.VIEWER, problems=(404,), answers={200: Answer("The trigger.", TriggerDocument)}
)  # fmt: skip
def get_trigger(caller: Principal, trigger: str, query: TriggerQuery) -> Response:
    """One trigger, by its id or its slug; an unknown slug is a 404 that names the nearest."""
    return json_answer(read_trigger(caller, *find_trigger(caller, trigger, query.project)))


@operation(
    "PATCH", f"{API}/triggers/<trigger>", role=Role.ADMIN, problems=(404, 409),
    answers={200: Answer("The trigger as it is now.", TriggerDocument)},
)  # fmt: skip
def set_trigger(caller: Principal, trigger: str, query: TriggerQuery, body: TriggerPatch) -> Response:
    """Disable or enable a trigger or some of what is attached, pause it, resume it. What begins again makes up for nothing."""
    project, source = find_trigger(caller, trigger, query.project)
    pause = Pause(body.paused_until) if "paused_until" in body.model_fields_set else None
    switched = {workflow: each.disabled for workflow, each in body.attachments.items()}
    change = TriggerChange(body.disabled, pause, switched)
    after = change_trigger(services().database, caller.actor, project, source.id, change)
    return json_answer(read_trigger(caller, project, after))


@operation(
    "GET", f"{API}/triggers/<trigger>/runs", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("Part of the list.", TriggerEventList)},
)  # fmt: skip
def list_trigger_events(caller: Principal, trigger: str, query: EventsQuery) -> Response:
    """What happened at a trigger, newest first: deliveries and ticks, with what they came to and the runs that they started."""
    _, source = find_trigger(caller, trigger, query.project)
    with services().database.read() as tx:
        found = trigger_events.list_events(
            caller.scope, tx, source, outcomes=query.outcome, before=query.cursor, limit=query.limit + 1
        )
    shown, further = part_of(found, query.limit, lambda event: event.place)
    return json_answer({"data": [event.as_json(hidden()) for event in shown], **further})


@operation(
    "GET", f"{API}/triggers/<trigger>/runs/<event>", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The delivery or the tick.", TriggerEventDetail)},
)  # fmt: skip
def get_trigger_event(caller: Principal, trigger: str, event: str, query: TriggerQuery) -> Response:
    """One delivery or tick: what it came to, its error, and what a poll has found and logged."""
    _, source = find_trigger(caller, trigger, query.project)
    return json_answer(read_event(caller, source, event))


@operation(
    "POST", f"{API}/triggers/<trigger>/runs/<event>/cancel", role=Role.RUNNER, problems=(404, 409), body_optional=True,
    answers={202: Answer("It has ended, or is about to; nothing of it counts.", TriggerEventDetail)},
)  # fmt: skip
def cancel_trigger_event(caller: Principal, trigger: str, event: str, query: TriggerQuery) -> Response:
    """Cancel a poll's tick that is under way: it starts nothing, its state is left alone, and it is no failure of the poll."""
    _, source = find_trigger(caller, trigger, query.project)
    cancel_of_trigger(caller, source, event)
    return json_answer(read_event(caller, source, event), 202)


@operation(
    "GET", f"{API}/triggers/<trigger>/preview", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The next times.", FireList)},
)  # fmt: skip
def preview_trigger(caller: Principal, trigger: str, query: PreviewQuery) -> Response:
    """When a schedule or a poll fires next, were it enabled: the times that its expression or interval gives from now on."""
    _, source = find_trigger(caller, trigger, query.project)
    return json_answer({"data": preview(source, query.count)})


def read_event(caller: Principal, source: Source, event_id: str) -> Json:
    """The JSON of one event of a source with its trace; TriggerEventNotFound."""
    with services().database.read() as tx:
        event = trigger_events.get_event(caller.scope, tx, source, event_id)
        spans, logs = trigger_events.list_event_trace(caller.scope, tx, event, limit=_MOST_LINES)
    trace = {
        "trace_id": event.trace_id, "spans": [span_json(each, event.trace_id or "") for each in spans],
        "logs": [log_json(each) for each in logs],
    }  # fmt: skip
    return event.as_json(hidden()) | {"found": redact(event.found, hidden()), "trace": trace}


def preview(source: Source, count: int) -> list[Json]:
    """The next times of a source; WrongTriggerKind for one that no clock fires."""
    if source.manifest.kind == "webhook":
        raise WrongTriggerKind(trigger=source.slug, kind="webhook", why="it fires when somebody posts to it.")
    timing = timing_of(source)
    return [
        {
            "at": rfc3339(each.at), "local": each.local,
            "due_at": rfc3339(timing.due(source.id, each.at)),
        }
        for each in timing.upcoming(source.now, count)
    ]  # fmt: skip


def _is_wanted(source: Source, query: TriggersQuery) -> bool:
    attached = {each.workflow for each in source.attachments if each.retired_at is None}
    return (not query.kind or source.manifest.kind in query.kind) and (
        query.workflow is None or query.workflow in attached
    )
