"""`/healthz`, `/readyz` and `/openapi.json`: open to everybody, since they tell nothing about anybody."""

from __future__ import annotations

from typing import Final

from flask import Response, current_app

from keystroke.errors import DatabaseUnavailable, SchemaOutdated
from keystroke.store.migrate import check_revision
from keystroke_api.answers import json_answer
from keystroke_api.operation import Answer, operation
from keystroke_api.refusals import NotReady
from keystroke_api.rest.documents import Health, OpenApi, Readiness
from keystroke_api.services import services

#: Where the app keeps its OpenAPI document.
OPENAPI: Final = "keystroke-openapi"


@operation("GET", "/healthz", answers={200: Answer("The process is alive.", Health)})
def healthz() -> Response:
    """Alive; asks nobody."""
    return json_answer({"status": "ok"})


@operation("GET", "/readyz", answers={200: Answer("Requests are served.", Readiness)}, problems=(503,))
def readyz() -> Response:
    """Ready while the database answers and its schema fits. Without the broker starts are accepted all the same."""
    try:
        check_revision(services().database)
    except (DatabaseUnavailable, SchemaOutdated) as error:
        raise NotReady(why=str(error)) from error
    broker = services().broker.answers()
    return json_answer({
        "status": "ok" if broker else "degraded",
        "database": "ok",
        "broker": "ok" if broker else "degraded",
    })  # fmt: skip


@operation("GET", "/openapi.json", answers={200: Answer("This document.", OpenApi)})
def openapi() -> Response:
    """The description of this API (OpenAPI 3.1)."""
    return json_answer(current_app.extensions[OPENAPI])
