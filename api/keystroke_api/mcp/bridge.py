"""From a thread that serves a request to the event loop of the SDK, and back.

Importing this takes most of a second and some 23 MiB: only who is asked for a tool does so.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

from a2wsgi import ASGIMiddleware
from flask import Response
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from keystroke_api.mcp.protocol import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_PATIENCE = 5.0


class Bridge:
    """The SDK's app, stateless and with JSON answers, on an event loop in a thread of its own."""

    def __init__(self, *, threads: int, body_limit: int) -> None:
        """Start the thread. At most `threads` tools are executed at a time; a body has at most `body_limit` bytes."""
        self._threads = threads
        self._body_limit = body_limit
        self._served: Future[WSGIApplication] = Future()
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="mcp", daemon=True)
        self._thread.start()
        self._app = self._served.result()

    def answer(self, environ: WSGIEnvironment) -> Response:
        """What the SDK answers to the request, whole."""
        return cast("Response", Response.from_app(self._app, environ, buffered=True))

    def close(self) -> None:
        """End the loop; requests have to be over."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._served.done():
                raise
            self._served.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        manager = StreamableHTTPSessionManager(
            make_server(self._threads),
            json_response=True,
            stateless=True,
            max_request_body_size=self._body_limit,
        )
        async with manager.run():
            app = ASGIMiddleware(cast("Any", manager.handle_request), loop=self._loop)
            self._served.set_result(cast("WSGIApplication", app))
            await self._ended.wait()
