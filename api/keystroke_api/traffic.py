"""What holds for every request and answer: an id, a line in the log, headers that keep browsers careful."""

from __future__ import annotations

import re
import time
from typing import Final

from flask import Flask, Response, g, request

from keystroke import ids
from keystroke.telemetry import announce
from keystroke.telemetry.context import bound
from keystroke.telemetry.events import RequestServed
from keystroke_api.links import LINK_HEADERS, is_link

_REQUEST_ID: Final = "X-Request-Id"
_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}\Z")
#: The API serves data, never pages: nothing of it may be shown, framed, guessed at, kept or passed on by a browser.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install_traffic(app: Flask) -> None:
    """Give every request its id, every answer its headers, and both a line in the log."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_unbind)


def _begin() -> None:
    """A caller's own request id is kept where it is harmless, so that logs on both sides can be joined."""
    g.began = time.perf_counter()
    given = request.headers.get(_REQUEST_ID, "")
    g.request_id = given if _ACCEPTABLE_ID.match(given) else ids.new("req")
    g.log_ids = bound(request_id=g.request_id)
    g.log_ids.__enter__()


def _end(answer: Response) -> Response:
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    if is_link():
        answer.headers.update(LINK_HEADERS)
    answer.headers[_REQUEST_ID] = g.request_id
    milliseconds = round((time.perf_counter() - g.began) * 1000, 1)
    if not is_link():  # not even that it was asked for: who reads the log could tell who answered what when
        announce(RequestServed(request.method, request.path, answer.status_code, milliseconds))
    return answer


def _unbind(_error: BaseException | None) -> None:
    if "log_ids" in g:
        g.log_ids.__exit__(None, None, None)
