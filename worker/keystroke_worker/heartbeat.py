"""The worker's heartbeat: one transaction for all it runs, which brings back what happened to its runs meanwhile."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from keystroke.errors import DatabaseUnavailable
from keystroke.execution.gate import Interruption
from keystroke.operations.fleet_state import Heartbeat, beat_heart
from keystroke.telemetry import announce
from keystroke.telemetry.events import WorkerDeclaredDead
from keystroke.telemetry.outage import Outage
from keystroke_worker.forks import no_fork
from keystroke_worker.memory import resident_mib
from keystroke_worker.slots import Attempt

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

#: A claim whose answer never arrived is given back after so many seconds; one under way takes a moment.
_UNANSWERED: Final = 5.0


class HeartbeatThread:
    """A plain thread: Celery's timers stop while the broker is away."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Of this worker."""
        self._worker = worker
        self._outage = Outage.of_database()
        self._unknown: dict[Attempt, float] = {}
        self._stopped = threading.Event()
        self.last_success = time.monotonic()

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._beat_all, name="keystroke-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Do not come back to life any more: the worker ends."""
        self._stopped.set()

    def _beat_all(self) -> None:
        while not self._stopped.is_set():
            with no_fork():
                self._beat()
            self._stopped.wait(self._worker.settings.heartbeat)

    def _beat(self) -> None:
        worker = self._worker
        running = worker.slots.running()
        try:
            heartbeat = beat_heart(worker.database, worker.slots.worker_id, running, self._memory())
            if not heartbeat.alive and not self._stopped.is_set():
                self._rise_again()
        except DatabaseUnavailable as error:
            self._outage.failed(error)
            return
        self._outage.answered()
        self.last_success = time.monotonic()
        self._follow(heartbeat)

    def _memory(self) -> int:
        pids = [os.getpid(), *(slot.pid for slot in self._worker.slots)]
        return sum(resident_mib(pid) for pid in pids if pid is not None)

    def _rise_again(self) -> None:
        """Others have taken our runs over: stop executing them, and begin as a new worker."""
        worker = self._worker
        announce(WorkerDeclaredDead(worker_id=worker.slots.worker_id))
        for attempt in worker.slots.running():
            worker.interrupter.interrupt(attempt, Interruption.DRAIN, worker.settings.cancel_grace)
        worker.register()

    def _follow(self, heartbeat: Heartbeat) -> None:
        worker = self._worker
        if heartbeat.draining:  # somebody asked for it, or we have begun to already
            worker.slots.begin_draining()
        for cancel in heartbeat.cancels:
            worker.cancel(*cancel)
        for lost in heartbeat.lost:
            worker.interrupter.interrupt(Attempt(*lost), Interruption.DRAIN, worker.settings.cancel_grace)
        self._give_back_unanswered([Attempt(*unknown) for unknown in heartbeat.unknown])

    def _give_back_unanswered(self, unknown: list[Attempt]) -> None:
        """Claims that were committed while their answer was lost: nobody executes them, and we are alive."""
        now = time.monotonic()
        self._unknown = {attempt: self._unknown.get(attempt, now) for attempt in unknown}
        for attempt, since in list(self._unknown.items()):
            if now - since > _UNANSWERED and self._worker.slots.find(attempt) is None:
                del self._unknown[attempt]
                self._worker.losses.recover(attempt)
