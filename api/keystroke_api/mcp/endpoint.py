"""`POST /mcp`: who asks, and how much, is decided here as for every route; the rest is the protocol's."""

from __future__ import annotations

import json
import threading
from contextvars import copy_context
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, current_app, request

from keystroke.domain.payload import Json
from keystroke.errors import NotJson
from keystroke_api.auth import Role, identify, require_role
from keystroke_api.bodies import read_json_text
from keystroke_api.mcp.exchange import EXCHANGE, Exchange
from keystroke_api.operation import SLACK
from keystroke_api.refusals import InvalidJson
from keystroke_api.services import services
from keystroke_api.strict_json import parse_json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from keystroke_api.mcp.bridge import Bridge

PATH: Final = "/mcp"
_EXTENSION: Final = "keystroke-mcp"
_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600
_NO_MESSAGE: Final = "The body must be one JSON-RPC 2.0 request or notification; batches are not served."


def install_mcp(app: Flask) -> None:
    """Make the endpoint a route of the app; nothing of the SDK is loaded before somebody asks."""
    app.extensions[_EXTENSION] = _LateBridge()
    app.add_url_rule(PATH, "mcp", _serve, methods=["POST"], provide_automatic_options=False)


def _serve() -> Response:
    """Identify the caller, read the message, and let the SDK answer it.

    There are no streams: a GET, with which a client would ask for one, is a 405, which the protocol provides for.
    """
    own = services()
    caller = identify(own.database)
    require_role(caller, Role.VIEWER)
    body = read_json_text(own.settings.payload_limit + SLACK)
    try:
        message = parse_json(body)
    except (InvalidJson, NotJson) as error:
        return _unreadable(_PARSE_ERROR, str(error))
    if not _is_message(message):
        return _unreadable(_INVALID_REQUEST, _NO_MESSAGE)
    exchange = Exchange(caller, request.headers.get("traceparent"), copy_context())
    bridge: _LateBridge = current_app.extensions[_EXTENSION]
    return bridge.get().answer(_environ(body, exchange))


def _is_message(value: Json) -> bool:
    """Whether it is one request or notification (JSON-RPC 2.0, section 4); what the SDK says otherwise is for its authors."""
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        return False
    number = value.get("id", 0)
    return (
        isinstance(value.get("method"), str)
        and isinstance(value.get("params"), dict | None)
        and isinstance(number, str | int)
        and not isinstance(number, bool)
    )


def _unreadable(code: int, why: str) -> Response:
    """What is no message, as the protocol says it."""
    answer = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": why[:500]}}
    return Response(json.dumps(answer), HTTPStatus.BAD_REQUEST, mimetype="application/json")


def _environ(body: bytes, exchange: Exchange) -> WSGIEnvironment:
    """A request of the body and of what the protocol says in headers; keys and cookies stay here."""
    headers: dict[str, Any] = {
        name: value
        for name, value in request.environ.items()
        if name.startswith("HTTP_MCP_") or name == "HTTP_ACCEPT"
    }
    return headers | {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": PATH, "QUERY_STRING": "",
        "SERVER_NAME": "keystroke", "SERVER_PORT": "0", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body),
        EXCHANGE: exchange,
    }  # fmt: skip


class _LateBridge:
    """The bridge of a process, made when the first request asks for it: after the process was forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bridge: Bridge | None = None

    def get(self) -> Bridge:
        """The bridge; it ends with the services of the app."""
        with self._lock:
            if self._bridge is None:
                self._bridge = self._make()
            return self._bridge

    def _make(self) -> Bridge:
        from keystroke_api.mcp.bridge import Bridge

        own = services()
        settings = own.settings
        made = Bridge(
            threads=settings.api_threads + settings.streams, body_limit=settings.payload_limit + SLACK
        )
        own.ends.append(made.close)
        return made
