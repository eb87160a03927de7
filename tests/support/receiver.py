"""A receiver of notifications that really listens: it keeps what comes, and answers as the test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

#: A secret of Standard Webhooks, and another one.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xk"


@dataclass(frozen=True)
class Received:
    """One request: the path, its headers by lower-case name, its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str = SECRET) -> Any:
        """The JSON of a body that the library finds to be signed."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Answers with the statuses of `answers`, one after the other, then with 204; `before` is called for each request."""

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    @property
    def bodies(self) -> list[Any]:
        """The JSON of all that came."""
        return [json.loads(each.body) for each in self.received]

    def take(self, request: Received) -> tuple[int, dict[str, str]]:
        """Keep a request; how it is answered."""
        self.received.append(request)
        self.before()
        return self.answers.pop(0) if self.answers else (204, {})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens on this machine."""
    yield from _listening()


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    """Another one."""
    yield from _listening()


def _listening() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = made.take(Received(self.path, headers, body))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/told"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
