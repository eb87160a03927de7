"""Errors as problem documents (RFC 9457): the one place that gives every error its HTTP status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from flask import Flask, Response, g, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException

from keystroke import errors
from keystroke.domain.secrets import redact_tokens
from keystroke.errors import KeystrokeError, PathError
from keystroke.telemetry import announce
from keystroke.telemetry.events import RequestFailed, RequestPutOff
from keystroke_api import refusals
from keystroke_api.links import shown_path

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:keystroke:problem:"
#: Seconds after which a caller may try again while the database is away.
_RETRY_AFTER: Final = 2
#: A problem tells what is wrong; it does not give a megabyte of input back.
_LONGEST_TEXT: Final = 2_000
_MOST_ERRORS: Final = 100
_OUR_MISTAKE: Final = "Something went wrong on the server; its log says what."
#: What is said where no route is asked for.
_UNROUTED: Final = {
    404: "There is nothing at {path}; /openapi.json lists what there is.",
    405: "{method} is not a method of {path}; the header Allow names those that are.",
}
_ABBREVIATIONS: Final = frozenset({"api", "id", "json"})

#: The status of every error that a route lets through. What is not here is our own mistake: 500.
STATUSES: Final[dict[type[KeystrokeError], int]] = {
    refusals.InvalidJson: 400,
    refusals.InvalidForm: 400,
    refusals.KeyMissing: 401,
    refusals.KeyRefused: 401,
    refusals.RoleTooLow: 403,
    refusals.LoopbackOnly: 403,
    refusals.ForeignHost: 403,
    refusals.ForeignOrigin: 403,
    errors.RunNotFound: 404,
    errors.ProjectNotFound: 404,
    errors.WorkflowNotFound: 404,
    errors.DeploymentNotFound: 404,
    errors.QueueNotFound: 404,
    errors.WorkerNotFound: 404,
    errors.WorkerEnded: 409,
    errors.ApiKeyNotFound: 404,
    errors.SecretNotFound: 404,
    refusals.BodyTooSlow: 408,
    refusals.BrokenChunks: 400,
    errors.HookNotFound: 404,
    errors.DeliveryRefused: 401,
    errors.ChallengeRefused: 403,
    errors.EndpointNotFound: 404,
    errors.EndpointRetired: 410,
    errors.DeliveryRateLimited: 429,
    errors.DeliveryNotFound: 404,
    errors.DeliveryNotKept: 409,
    errors.RunEnded: 409,
    errors.TriggerNotFound: 404,
    errors.TriggerEventNotFound: 404,
    errors.BackfillNotFound: 404,
    errors.HookAnswered: 409,
    errors.TriggerRetired: 409,
    errors.TickUnderWay: 409,
    errors.TickEnded: 409,
    errors.BackfillEnded: 409,
    errors.HookExpired: 410,
    errors.HookEnded: 410,
    errors.InputNotRecorded: 409,
    errors.StateChanged: 412,
    refusals.BodyTooLarge: 413,
    errors.PayloadTooLarge: 413,
    refusals.UnsupportedMediaType: 415,
    refusals.InvalidRequest: 422,
    errors.InvalidInput: 422,
    errors.NotJson: 422,
    errors.AmbiguousRunId: 422,
    errors.StepNotFound: 422,
    errors.ForeignOrganization: 422,
    errors.WrongTriggerKind: 422,
    errors.NotAttached: 422,
    errors.NoFailedStep: 422,
    errors.IdempotencyConflict: 422,
    # The query as it was asked has no answer in time; asking again would only cost the same again.
    errors.QueryTooSlow: 422,
    errors.DatabaseUnavailable: 503,
    errors.SchemaOutdated: 503,
    refusals.NotReady: 503,
}


class ProblemError(BaseModel):
    """One thing that is wrong, and where."""

    path: str = Field(examples=["$.email"])
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:keystroke:problem:run-not-found"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    errors: list[ProblemError]
    request_id: str


def install_problems(app: Flask) -> None:
    """Answer every error of the app with a problem document."""
    app.register_error_handler(KeystrokeError, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _failed)


def status_of(error: KeystrokeError) -> int:
    """The HTTP status of an error."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def problem_document(error: KeystrokeError) -> dict[str, Any]:
    """The problem document of an error, as it stands in an answer of its own or in a batch."""
    status = status_of(error)
    if status == 503:
        announce(RequestPutOff(method=request.method, path=shown_path(), why=str(error)))
    if status == 500:
        return failure_document(error)
    return document(error.code, status, str(error), g.request_id, getattr(error, "errors", ()))


def failure_document(error: Exception) -> dict[str, Any]:
    """The problem document of our own mistake, which goes to the log."""
    announce(RequestFailed(method=request.method, path=shown_path(), status=500), error=error)
    return document("internal-error", 500, _OUR_MISTAKE, g.request_id)


def document(
    code: str, status: int, detail: str, request_id: str, errors: Sequence[PathError] = ()
) -> dict[str, Any]:
    """A problem document with all of its members."""
    listed = [PathError(_shortened(each.path), _shortened(each.message)) for each in errors[:_MOST_ERRORS]]
    return {
        "type": _TYPE_PREFIX + code,
        "title": _title(code),
        "status": status,
        "detail": _shortened(detail),
        "errors": [each.as_json() for each in listed],
        "request_id": request_id,
    }


def _title(code: str) -> str:
    """`api-key-missing` as "API key missing"."""
    words = [word.upper() if word in _ABBREVIATIONS else word for word in code.split("-")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def _shortened(text: str) -> str:
    """The text as it may be answered: callers' own words are in it, and with them perhaps the token of a hook."""
    text = redact_tokens(text)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def _answer(problem: dict[str, Any]) -> Response:
    return Response(json.dumps(problem), problem["status"], mimetype=MEDIA_TYPE)


def _refused(error: KeystrokeError) -> Response:
    status = status_of(error)
    answer = _answer(problem_document(error))
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="keystroke"'
    if status in (429, 503):
        answer.headers["Retry-After"] = str(getattr(error, "retry_after", _RETRY_AFTER))
    return answer


def _http_error(error: HTTPException) -> Response:
    """What Flask itself refuses: unknown paths, methods, and the like; their headers (`Allow`) stay."""
    status = error.code or 500
    code = error.name.lower().replace(" ", "-")
    unrouted = _UNROUTED.get(status)
    detail = (
        unrouted.format(method=request.method, path=shown_path()[:200]) if unrouted else error.description
    )
    answer = _answer(document(code, status, detail or error.name, g.request_id))
    for name, value in error.get_headers(request.environ):
        if name.lower() not in ("content-type", "content-length"):
            answer.headers.add(name, value)
    return answer


def _failed(error: Exception) -> Response:
    return _answer(failure_document(error))
