"""Starting runs: one, many, or by the short form."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from keystroke.domain.actor import Trigger
from keystroke.errors import KeystrokeError
from keystroke.operations.api_keys import Principal
from keystroke.operations.start_run import StartedRun, StartRequest, start_runs
from keystroke.store.access import Project
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, AnyJson, operation
from keystroke_api.problems import problem_document
from keystroke_api.rest.documents import StartAnswer, Started, StartedRuns
from keystroke_api.rest.reading import read_run
from keystroke_api.rest.requests import BatchBody, BatchItem, StartBody, StartHeaders
from keystroke_api.rest.texts import API
from keystroke_api.rest.workflows import find_default_project, find_project
from keystroke_api.services import services
from keystroke_api.starting import start, wake_and_interrupt

_HEADERS = {"Location": "Where the run is."}
STARTED_ANSWERS = {
    200: Answer(
        "The run has ended (`Prefer: wait`), or had been started before under this key.",
        StartAnswer,
        _HEADERS,
    ),
    202: Answer("The run is recorded.", Started, _HEADERS),
}
_LABELS = {"api": "API", "cli": "Command line"}
#: A batch may be this many times as large as one payload.
_BATCH_PAYLOADS = 16


@operation(
    "POST",
    f"{API}/projects/<project>/workflows/<slug>/runs",
    role=Role.RUNNER,
    answers=STARTED_ANSWERS,
    problems=(404,),
)
def start_workflow(
    caller: Principal, project: str, slug: str, headers: StartHeaders, body: StartBody
) -> Response:
    """Start a run."""
    wanted = StartRequest(
        workflow=slug, input=body.input, trigger=_trigger(headers), actor=caller.actor, tags=body.tags,
        priority=body.priority, run_at=body.run_at, idempotency_key=headers.idempotency_key,
        traceparent=headers.traceparent,
    )  # fmt: skip
    return _start(caller, find_project(caller, project), wanted, headers)


@operation("POST", "/workflows/<slug>", role=Role.RUNNER, answers=STARTED_ANSWERS, problems=(404,))
def start_default_workflow(caller: Principal, slug: str, headers: StartHeaders, body: AnyJson) -> Response:
    """Start a run in the default project: the body is the input."""
    wanted = StartRequest(
        workflow=slug, input=body.root, trigger=_trigger(headers), actor=caller.actor,
        idempotency_key=headers.idempotency_key, traceparent=headers.traceparent,
    )  # fmt: skip
    return _start(caller, find_default_project(caller), wanted, headers)


@operation(
    "POST", f"{API}/projects/<project>/workflows/<slug>/runs:batch", role=Role.RUNNER, problems=(404,),
    payloads=_BATCH_PAYLOADS, answers={200: Answer("What became of each item, in order.", StartedRuns)},
)  # fmt: skip
def start_batch(
    caller: Principal, project: str, slug: str, headers: StartHeaders, body: BatchBody
) -> Response:
    """Start up to 1,000 runs in one transaction; one bad item does not keep the others from starting."""
    found = find_project(caller, project)
    items = body.items
    wanted = [_item(caller, slug, headers, item) for item in items if isinstance(item, BatchItem)]
    own = services()
    results = start_runs(own.database, found, wanted, own.settings, own.box)
    for each in results:
        if isinstance(each, StartedRun):
            wake_and_interrupt(each)
    started = iter(results)
    outcomes = [next(started) if isinstance(item, BatchItem) else item for item in items]
    return json_answer({"data": [_outcome_json(outcome) for outcome in outcomes]})


def started_json(run_id: str, status: str) -> dict[str, Any]:
    """`{run_id, status, url}`."""
    base = services().settings.public_url or request.host_url
    return {"run_id": run_id, "status": status, "url": f"{base.rstrip('/')}{API}/runs/{run_id}"}


def _start(caller: Principal, project: Project, wanted: StartRequest, headers: StartHeaders) -> Response:
    return answer_started(caller, start(project, wanted), headers)


def answer_started(caller: Principal, started: StartedRun, headers: StartHeaders) -> Response:
    """Where the run is, or, where the caller wants to wait for its end, the whole run."""
    document = started_json(started.run_id, started.status)
    answered = {"Location": document["url"]}
    if headers.wait:
        answered["Preference-Applied"] = f"wait={headers.wait}"
        if services().waits.until_terminal(caller.scope, started.run_id, headers.wait):
            return json_answer(read_run(caller, started.run_id), 200, answered)
    return json_answer(document, 202 if started.created else 200, answered)


def _trigger(headers: StartHeaders) -> Trigger:
    return Trigger(headers.trigger, _LABELS[headers.trigger], value=headers.trigger)


def _item(caller: Principal, slug: str, headers: StartHeaders, item: BatchItem) -> StartRequest:
    return StartRequest(
        workflow=slug, input=item.input, trigger=_trigger(headers), actor=caller.actor, tags=item.tags,
        idempotency_key=item.idempotency_key, traceparent=headers.traceparent,
    )  # fmt: skip


def _outcome_json(outcome: StartedRun | KeystrokeError) -> dict[str, Any]:
    if isinstance(outcome, KeystrokeError):
        return problem_document(outcome)
    return started_json(outcome.run_id, outcome.status)
