"""`keystroke api`: the app behind gunicorn, with threads."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from keystroke.errors import KeystrokeError
from keystroke.settings import Settings
from keystroke.store import Database, access
from keystroke.store.migrate import check_revision
from keystroke.telemetry import announce
from keystroke.telemetry.events import ApiListening
from keystroke.telemetry.logs import configure_logging
from keystroke_api.addresses import is_loopback_host
from keystroke_api.app import create_app
from keystroke_api.refusals import UnsafeListen

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


_NOT_FREE: Final = "{listen} cannot be listened on: stop what listens there, or set KEYSTROKE_LISTEN."


def run_api(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code: 0, 2 where the configuration forbids it, else gunicorn's own."""
    configure_logging(settings, "api")
    try:
        settings.require("database_url", "broker_url", "secret_key")
        _check_database(settings)
    except KeystrokeError as error:
        print(f"keystroke api: {error}", file=sys.stderr)
        return 2
    return _serve(settings)


def _check_database(settings: Settings) -> None:
    """The schema has to fit, and beyond loopback somebody has to have made a key.

    The database is opened and closed before anything is forked: each process opens its own.
    """
    database = Database.from_settings(settings)
    try:
        check_revision(database)
        with database.read() as tx:
            protected = access.has_api_keys(tx)
    finally:
        database.close()
    if not protected and not is_loopback_host(settings.listen):
        raise UnsafeListen(listen=settings.listen)


def _serve(settings: Settings) -> int:
    """Run gunicorn here. Its children must never return into the caller's code, which belongs to this process."""
    parent = os.getpid()
    gunicorn = _Gunicorn(settings)
    arbiter = Arbiter(gunicorn)
    try:
        arbiter.run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if os.getpid() != parent:
            logging.shutdown()
            os._exit(code)
        if not gunicorn.listened:
            print(f"keystroke api: {_NOT_FREE.format(listen=settings.listen)}", file=sys.stderr)
        return code
    return 0


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """Gunicorn configured by our settings alone: no command line, no file, no environment of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        #: Whether it has come to listen; at its end gunicorn has let go of its sockets, and does not tell any more.
        self.listened = False
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        for name, value in _configuration(self._settings).items():
            self.cfg.set(name, value)
        self.cfg.set("when_ready", self._tell_ready)

    def _tell_ready(self, _arbiter: Arbiter) -> None:
        self.listened = True
        settings = self._settings
        announce(
            ApiListening(
                listen=settings.listen, processes=settings.api_processes, threads=settings.api_threads
            )
        )

    def load(self) -> WSGIApplication:
        """Make the app; called in each process after it was forked."""
        return create_app(self._settings)


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "bind": settings.listen,
        "workers": settings.api_processes,
        "worker_class": "keystroke_api.server.Worker",
        "logger_class": "keystroke_api.server.Logger",
        # Each stream and wait holds a thread for up to a minute: those come on top, so that requests keep theirs.
        # They are only made when they are needed.
        "threads": settings.api_threads + settings.streams,
        "worker_connections": 1000 + settings.api_threads + settings.streams,
        # No thread may take longer; a wait of a minute and its query fit in.
        "timeout": 90,
        "graceful_timeout": 10,
        "keepalive": 5,
        # A list may be asked for with many values of many filters.
        "limit_request_line": 8190,
        # X-Forwarded-* is read by `addresses`, which knows whom to trust; gunicorn would trust this machine.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "proc_name": "keystroke-api",
        "control_socket_disable": True,
    }
