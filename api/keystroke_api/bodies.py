"""Reading the body of a request: its type, its size and the time it takes are bounded before it is parsed."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from keystroke.domain.payload import Json
from keystroke_api.refusals import BodyTooLarge, BodyTooSlow, BrokenChunks, InvalidForm, UnsupportedMediaType
from keystroke_api.strict_json import parse_json

#: All of a body has to arrive within this time.
BODY_SECONDS: Final = 10.0
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 1_000


def read_json(limit: int, *, optional: bool = False) -> Json:
    """The JSON value of the request's body of at most `limit` bytes; None for an empty body where that is allowed."""
    if optional and not _has_body():
        return None
    return parse_json(read_json_text(limit))


def read_json_text(limit: int) -> bytes:
    """The request's body of at most `limit` bytes, which says that it is JSON."""
    if request.mimetype != _JSON:
        raise UnsupportedMediaType
    return _read(limit)


def read_form(limit: int) -> dict[str, str]:
    """The fields of a form that a page has sent, of at most `limit` bytes; of a name that occurs twice the first counts."""
    if request.mimetype != _FORM:
        raise UnsupportedMediaType
    try:
        pairs = parse_qsl(
            _read(limit).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise InvalidForm(why=str(error)) from error
    return dict(reversed(pairs))


def read_bytes(limit: int) -> bytes:
    """The body as it came, of at most `limit` bytes and of whatever type."""
    return _read(limit) if _has_body() else b""


def sends_form() -> bool:
    """Whether the body is a form as browsers send it."""
    return request.mimetype == _FORM


def _has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _read(limit: int) -> bytes:
    # One byte more than allowed: a body in chunks is cut off there without a word, and only its length tells.
    request.max_content_length = limit + 1
    connection = request.environ.get("gunicorn.socket")
    try:
        with _deadlines.watch(connection) as late:
            data = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise BodyTooLarge(limit=limit) from error
    except (ClientDisconnected, OSError) as error:
        raise BodyTooSlow(seconds=BODY_SECONDS) from error
    except (
        ParseException
    ) as error:  # chunks are taken apart while they are read, behind the headers that were right
        raise BrokenChunks from error
    if len(data) > limit:
        raise BodyTooLarge(limit=limit)
    if late() or len(data) < (request.content_length or 0):
        raise BodyTooSlow(seconds=BODY_SECONDS)
    return data


class _Deadlines:
    """Ends the reading side of connections whose body is late, so that slow senders cannot hold all threads.

    A socket's own timeout would not do: it begins anew with every byte. All deadlines are equally far, so a queue keeps
    them in order, and one thread serves the process.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[_Watched] = deque()
        self._thread: threading.Thread | None = None
        self._idle = False

    @contextmanager
    def watch(self, connection: socket.socket | None) -> Iterator[Any]:
        """While the block reads from the connection; gives a function that says whether its time ran out."""
        if connection is None:
            yield lambda: False
            return
        watched = _Watched(connection, time.monotonic() + BODY_SECONDS)
        with self._changed:
            self._drop_finished()
            self._queue.append(watched)
            self._start()
        try:
            yield lambda: watched.late
        finally:
            with self._changed:
                watched.connection = None

    def _drop_finished(self) -> None:
        while self._queue and self._queue[0].connection is None:
            self._queue.popleft()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="body-deadlines", daemon=True)
            self._thread.start()
        elif self._idle:
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._drop_finished()
                pause = self._queue[0].deadline - time.monotonic() if self._queue else None
                if pause is None or pause > 0:
                    self._idle = pause is None
                    self._changed.wait(pause)
                else:
                    self._queue.popleft().end()


class _Watched:
    """A connection whose request's body is being read; without its connection once that is over."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection: socket.socket | None = connection
        self.deadline = deadline
        self.late = False

    def end(self) -> None:
        """Let the reader see the end of the stream; what it answers can still be sent."""
        if self.connection is None:
            return
        self.late = True
        try:
            self.connection.shutdown(socket.SHUT_RD)
        except OSError:
            return  # the caller has gone already, which ends the reading as well


_deadlines: Final = _Deadlines()
