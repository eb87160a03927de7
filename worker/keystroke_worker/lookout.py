"""The lookout: looks into the database for work, in case no message says so (Redis is away, a wake-up was lost)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from keystroke.errors import DatabaseUnavailable
from keystroke.operations.find_waiting import find_waiting_queues
from keystroke.telemetry.outage import Outage
from keystroke_worker import tasks
from keystroke_worker.forks import no_fork

if TYPE_CHECKING:
    from celery.concurrency.base import BasePool

    from keystroke_worker.worker_process import WorkerProcess

_EVERY: Final = 1.0
#: What has waited for less may have a message on its way.
_OVERDUE: Final = timedelta(seconds=0.5)


class Lookout:
    """A thread of the main process; hands `work` to idle children itself, without the broker."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Of this worker."""
        self._worker = worker
        self._outage = Outage.of_database()

    def start(self, pool: BasePool) -> None:
        """Begin to look; at once for whatever has waited for this worker to come."""
        threading.Thread(target=self._look_all, args=(pool,), name="keystroke-lookout", daemon=True).start()

    def _look_all(self, pool: BasePool) -> None:
        pause = threading.Event()
        while not self._worker.slots.draining:
            with no_fork():
                self._look(pool)
            pause.wait(_EVERY)

    def _look(self, pool: BasePool) -> None:
        idle = [slot for slot in self._worker.slots if slot.idle]
        if not idle:
            return
        try:
            waiting = find_waiting_queues(self._worker.database, _OVERDUE)
        except DatabaseUnavailable as error:
            self._outage.failed(error)
            return
        self._outage.answered()
        if any((self._worker.project_id, queue) in waiting for queue in self._worker.queues):
            for _ in idle:
                pool.apply_async(tasks.work_here)
