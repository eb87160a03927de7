"""Webhooks: the addresses that services post to. Whoever posts has no key of ours; each source says how it knows him.

A provider's handshake is answered here too, some of which are GETs. No other method is served.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from flask import Flask, Response, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import BaseConverter, Rule

from keystroke.domain.post import Post
from keystroke.errors import DeliveryRefused, EndpointNotFound, InvalidDelivery
from keystroke.operations.receive_delivery import (
    Endpoint,
    answer_challenge,
    answers_get,
    find_endpoint,
    receive_delivery,
)
from keystroke.operations.route_delivery import Routed
from keystroke.telemetry import announce
from keystroke.telemetry.events import DeliveryReceived, DeliveryWasRefused
from keystroke_api.answers import json_answer
from keystroke_api.bodies import read_bytes
from keystroke_api.operation import Answer, AnyJson, Operation, operation, operation_of
from keystroke_api.services import services
from keystroke_api.starting import wake_and_interrupt

#: What no endpoint or project is called is not looked for.
_NAME: Final = re.compile(r"[\w.-]{1,200}\Z", re.ASCII)
_OTHER_METHODS: Final = "other_methods_of_webhooks"


class Accepted(BaseModel):
    """What became of a delivery. Of a duplicate the ids are those of the delivery that came first."""

    ok: bool
    delivery_id: str
    skipped: bool = Field(default=False, description="Nothing was started; absent where something was.")
    duplicate: bool = Field(default=False, description="It was there before; absent where it was not.")
    run_id: str | None = Field(default=None, description="The first of the runs, absent where there is none.")
    run_ids: list[str] = Field(
        default_factory=list, description="The runs that it started; absent where there is none."
    )


_ANSWERS: Final = {
    200: Answer(
        "It starts nothing here (`skipped`), or was received before (`duplicate`). Or what the webhook is told to answer.",
        Accepted,
    ),
    202: Answer("It is recorded, and what it starts; with `skipped`, the webhook is switched off.", Accepted),
}
_PROBLEMS: Final = (401, 403, 404, 405, 410, 422, 429, 503)


class EndpointName(BaseConverter):
    """A part of an address that is not the id of a trigger: the pages of those lie beside the endpoints."""

    regex = r"(?!trg_[0-9a-hjkmnp-tv-z]{26}(?:/|$))[^/]+"


@operation("POST", "/triggers/<endpoint:project>/<endpoint:endpoint>", answers=_ANSWERS, problems=_PROBLEMS)
def post_to_webhook(endpoint: str, project: str | None = None) -> Response:
    """Deliver an event to a webhook of a project: the body is the event, as JSON or as a form, signed as the webhook asks."""
    found = _find(project, endpoint)
    own = services()
    post = _post(read_bytes(own.settings.webhook_limit))
    secrets = own.secrets.of(found.project.id)
    challenge = answer_challenge(found, post, secrets)
    if challenge is not None:
        return _plain(challenge)
    try:
        routed = receive_delivery(own.database, found, post, own.settings, own.box, secrets)
    except DeliveryRefused:
        announce(DeliveryWasRefused(found.project.slug, found.name, post.remote_addr or ""))
        raise
    _tell(found, routed)
    return _answer(routed)


@operation("POST", "/triggers/<endpoint:endpoint>", answers=_ANSWERS, problems=_PROBLEMS)
def post_to_default_webhook(endpoint: str) -> Response:
    """Deliver an event to a webhook of the default project."""
    return post_to_webhook(endpoint)


def webhook_operations() -> list[Operation]:
    """The routes as the OpenAPI document describes them."""
    views = (post_to_webhook, post_to_default_webhook)
    return [replace(operation_of(view), body=AnyJson) for view in views]


def install_webhooks(app: Flask) -> None:
    """Add the addresses to the app. Their bodies are read as they come, so nothing is validated in front of them."""
    app.url_map.converters["endpoint"] = EndpointName
    app.view_functions[_OTHER_METHODS] = _serve_other_method
    for each in webhook_operations():
        app.add_url_rule(each.path, each.name, each.view, methods=["POST"], provide_automatic_options=False)
        app.url_map.add(Rule(each.path, endpoint=_OTHER_METHODS))


def _serve_other_method(endpoint: str, project: str | None = None) -> Response:
    """A handshake that comes as a GET; everything else has no place here."""
    found = _find(project, endpoint)
    allowed = ["GET", "POST"] if answers_get(found) else ["POST"]
    if request.method == "GET" and "GET" in allowed:
        challenge = answer_challenge(found, _post(b""), services().secrets.of(found.project.id))
        if challenge is not None:
            return _plain(challenge)
    raise MethodNotAllowed(valid_methods=allowed)


def _find(project: str | None, endpoint: str) -> Endpoint:
    settings = services().settings
    project = project or settings.project or None
    if not _NAME.match(endpoint) or not (project is None or _NAME.match(project)):
        raise EndpointNotFound(endpoint=endpoint)
    return find_endpoint(services().database, settings.organization, project, endpoint)


def _post(body: bytes) -> Post:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Post(request.method, headers, request.args.to_dict(), body, request.remote_addr)


def _plain(text: str) -> Response:
    """The text of a handshake: whoever asks chooses it, so nobody may take it for anything but text."""
    return Response(text, 200, content_type="text/plain; charset=utf-8")


def _tell(endpoint: Endpoint, routed: Routed) -> None:
    """What is committed may be told: to the log, and to a worker of each queue where a run is due."""
    announce(
        DeliveryReceived(
            routed.delivery_id, endpoint.project.slug, endpoint.name, routed.outcome, len(routed.started)
        )
    )
    for each in routed.started:
        wake_and_interrupt(each)


def _answer(routed: Routed) -> Response:
    if routed.outcome == "rejected":
        raise InvalidDelivery(what="the webhook", errors=list(routed.errors))
    if routed.respond is not None:
        wanted = routed.respond
        return Response(wanted["body"], wanted["status"], content_type=wanted["content_type"])
    document: dict[str, Any] = {"ok": True, "delivery_id": routed.delivery_id}
    if routed.run_ids:
        document |= {"run_id": routed.run_ids[0], "run_ids": list(routed.run_ids)}
    else:
        document["skipped"] = True
    if routed.duplicate:
        document["duplicate"] = True
    return json_answer(document, routed.status)
