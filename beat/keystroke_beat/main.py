"""Start a beat, and run its rounds until told to end."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from types import FrameType
from typing import Any, Final

from celery.beat import Service

from keystroke.broker.celery_app import make_app
from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke.errors import DatabaseUnavailable, KeystrokeError
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.migrate import check_revision
from keystroke.telemetry import announce
from keystroke.telemetry.events import BeatStarted, BeatStopped
from keystroke.telemetry.logs import configure_logging
from keystroke.telemetry.outage import Outage
from keystroke_beat.health import make_health
from keystroke_beat.maintenance.round import Means
from keystroke_beat.scheduler import RoundsScheduler

_UNUSABLE: Final = 2
_RETRY: Final = 1.0


class BeatService(Service):  # type: ignore[misc]
    """Celery's beat, with the rounds in place of its schedule file."""

    def __init__(self, means: Means) -> None:
        """A beat that works with these means."""
        super().__init__(app=make_app(means.settings))
        self._means = means

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = "") -> RoundsScheduler:
        """The scheduler of the rounds."""
        return RoundsScheduler(app=self.app, lazy=lazy, means=self._means)


def run_beat(settings: Settings) -> int:
    """Run the rounds until SIGTERM or Ctrl-C; the exit code.

    0: it was told to end. 2: the settings or the database's schema cannot be used, which is said on stderr.
    """
    configure_logging(settings, "beat")
    try:
        settings.require("database_url", "broker_url")
        database = _open(settings)
        wakeups, control = Wakeups(settings), Control(settings)
        service = BeatService(Means(settings, database, wakeups, control))
        health = make_health(settings, service.scheduler)
    except KeystrokeError as error:
        sys.stderr.write(f"{error}\n")
        return _UNUSABLE
    if health:
        health.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_end, service))
    announce(BeatStarted())
    service.start()
    wakeups.close()
    control.close()
    announce(BeatStopped())
    return os.EX_OK


def _open(settings: Settings) -> Database:
    """The database, once it answers and has the schema that this version needs."""
    database = Database.from_settings(settings)
    outage = Outage.of_database()
    while True:
        try:
            check_revision(database)
        except DatabaseUnavailable as error:
            outage.failed(error)
            time.sleep(_RETRY)
        else:
            outage.answered()
            return database


def _end(service: Any, _signal: int, _frame: FrameType | None) -> None:
    service.stop()
