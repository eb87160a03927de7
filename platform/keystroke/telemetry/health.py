"""`/healthz` and `/readyz` of the parts that serve no requests otherwise: worker and beat.

For whoever supervises them (compose, Kubernetes): a handful of requests a minute, from this machine as a rule. The
standard library's server does for that; it tells nothing but `ok` or why not.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from keystroke.errors import InvalidSettings

#: Seconds that a caller may take to send its request.
_PATIENCE = 5


class HealthServer:
    """Listens in a thread of its own. `unready` says why the process cannot work at the moment, or None when it can."""

    def __init__(self, listen: str, unready: Callable[[], str | None]) -> None:
        """Listen on `host:port` (port 0: any free one); InvalidSettings where that is not possible."""
        host, _, port = listen.rpartition(":")
        try:
            self._server = ThreadingHTTPServer((host, int(port)), _handler(unready))
        except (OSError, OverflowError, ValueError) as error:
            raise InvalidSettings(problems=f"- KEYSTROKE_HEALTH_LISTEN: {listen}: {error}") from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, name="keystroke-health", daemon=True).start()

    def close(self) -> None:
        """Stop answering and free the port; only after `start`."""
        self._server.shutdown()
        self._server.server_close()


def silence(last_success: Callable[[], float], longest: float, what: str) -> Callable[[], str | None]:
    """Unready after `longest` seconds without a success; `last_success` gives its time by the monotonic clock."""

    def unready() -> str | None:
        silent = time.monotonic() - last_success()
        return f"no {what} has succeeded for {silent:.0f} s" if silent > longest else None

    return unready


def _handler(unready: Callable[[], str | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE

        def do_GET(self) -> None:
            """Alive, ready, or nothing that we know."""
            if self.path == "/healthz":
                self._answer(HTTPStatus.OK, {"status": "ok"})
            elif self.path != "/readyz":
                self._answer(HTTPStatus.NOT_FOUND, {"status": "not found"})
            elif why := unready():
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unready", "why": why})
            else:
                self._answer(HTTPStatus.OK, {"status": "ok"})

        def _answer(self, status: HTTPStatus, body: dict[str, str]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *_arguments: Any) -> None:
            """Say nothing: one line for each look would bury what matters."""

    return Handler
