"""Our gunicorn worker: waits end with the process, and its log lines join the platform's."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask
from gunicorn import glogging
from gunicorn.workers.gthread import ThreadWorker

from keystroke_api.services import services_of


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
