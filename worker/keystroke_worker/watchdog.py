"""The watchdog: ends a worker that can no longer make progress, so that whoever supervises it starts a fresh one.

To be without the database is no reason: only time counts in which a fresh connection works while no heartbeat succeeds.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from keystroke.errors import DatabaseUnavailable
from keystroke.store import Database
from keystroke.telemetry import announce
from keystroke.telemetry.events import WorkerStuck

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

_EVERY: Final = 5.0
#: Looks in a row, with the database there and no heartbeat, after which the worker is given up.
_PATIENCE: Final = 12
_STUCK: Final = 75


class Watchdog:
    """A thread that needs nothing of what it watches: it opens a connection of its own each time."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Of this worker."""
        self._worker = worker
        self._suspicions = 0

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="keystroke-watchdog", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(_EVERY):
            silent = time.monotonic() - self._worker.heartbeat.last_success
            overdue = silent > 2 * self._worker.settings.heartbeat + _EVERY
            self._suspicions = self._suspicions + 1 if overdue and self._database_answers() else 0
            if self._suspicions >= _PATIENCE:
                announce(WorkerStuck(worker_id=self._worker.slots.worker_id, seconds=round(silent)))
                os._exit(_STUCK)

    def _database_answers(self) -> bool:
        database = Database.from_settings(self._worker.settings, pool_size=1)
        try:
            with database.read():
                return True
        except DatabaseUnavailable:
            return False
        finally:
            database.close()
