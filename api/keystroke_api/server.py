"""Our gunicorn worker: waits end with the process, and its log lines and errors are the platform's."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from socket import socket
from typing import Any

from flask import Flask
from gunicorn import glogging
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from keystroke import ids
from keystroke_api.problems import MEDIA_TYPE, document
from keystroke_api.services import services_of

_STATUSES = {LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG, LimitRequestHeaders: HTTPStatus(431)}


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process of threads."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: whoever waits for a run is answered now; requests that are being served are finished."""
        app = getattr(self, "wsgi", None)
        if isinstance(app, Flask):
            services_of(app).waits.close()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until the end, then send what waits to be sent."""
        try:
            super().run()
        finally:
            services_of(self.wsgi).close()

    def handle_error(self, req: Any, client: socket, addr: Any, exc: Exception) -> None:
        """What is not even HTTP, and so never reached the app, gets its problem document too."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = _STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
        problem = document(
            "malformed-request", status, "This is no HTTP request that can be read.", ids.new("req")
        )
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"X-Request-Id: {problem['request_id']}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            client.sendall(head.encode() + body)
        except OSError as error:
            self.log.debug("The sender of a malformed request has gone: %s", error)


class Logger(glogging.Logger):  # type: ignore[misc]
    """Hands gunicorn's lines to the platform's log; requests are announced by the app."""

    def setup(self, cfg: Any) -> None:
        """Add no handler: the root logger has the one that counts."""
        self.loglevel = logging.WARNING
        self.error_log.setLevel(logging.WARNING)
        self.error_log.propagate = True
        self.access_log.propagate = False

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: `RequestServed` says more."""
