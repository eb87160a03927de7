"""Draining: no new runs, a grace for those that run, then hand them back, and end."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from keystroke.errors import DatabaseUnavailable
from keystroke.execution.gate import Interruption
from keystroke.operations.fleet_state import set_worker_draining, stop_worker
from keystroke.telemetry import announce
from keystroke.telemetry.events import WorkerDrained, WorkerDraining
from keystroke_worker.forks import no_fork
from keystroke_worker.slots import Attempt

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

_LOOK_EVERY: Final = 0.05
#: Beyond the graces, for records and recoveries that the database keeps waiting.
_SPARE: Final = 5.0


class Drain:
    """A thread that waits for the word. The word itself is one byte in shared memory, fit for a signal's handler."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Of this worker."""
        self._worker = worker
        self._handed_back: set[Attempt] = set()

    def start(self, stop_consuming: Callable[[], None]) -> None:
        """Be ready to drain; `stop_consuming` leaves further messages to other workers."""
        threading.Thread(
            target=self._run, args=(stop_consuming,), name="keystroke-drain", daemon=True
        ).start()

    def _run(self, stop_consuming: Callable[[], None]) -> None:
        slots = self._worker.slots
        _wait(lambda: slots.draining)
        stop_consuming()
        self._begin()
        _wait(self._is_idle, self._worker.settings.drain_grace)
        _wait(self._is_handed_back, self._worker.settings.cancel_grace + _SPARE)
        self._end()

    def _begin(self) -> None:
        worker = self._worker
        announce(
            WorkerDraining(
                worker_id=worker.slots.worker_id, running=len(worker.slots.running()),
                grace_seconds=worker.settings.drain_grace,
            )
        )  # fmt: skip
        self._record(set_worker_draining)

    def _end(self) -> None:
        """Leave, all being recorded; should a run be left all the same, recovery takes it from a stopped worker at once.

        Celery is not asked to stop its parts: that may hang on a broker that is away. The children go with us.
        """
        worker = self._worker
        worker.heartbeat.stop()
        worker.wakeups.close()
        self._record(stop_worker)
        announce(WorkerDrained(worker_id=worker.slots.worker_id, handed_back=len(self._handed_back)))
        logging.shutdown()
        os._exit(os.EX_OK)

    def _record(self, operation: Callable[..., None]) -> None:
        worker = self._worker
        with no_fork():
            try:
                operation(worker.database, worker.slots.worker_id)
            except DatabaseUnavailable:
                # The heartbeat announces it; without this record the worker is declared dead a little later.
                return

    def _is_idle(self) -> bool:
        worker = self._worker
        return worker.losses.settled and not any(slot.working or slot.attempt for slot in worker.slots)

    def _is_handed_back(self) -> bool:
        """Interrupt whatever runs, one that was claimed at the last moment too; then the worker is idle."""
        worker = self._worker
        for attempt in worker.slots.running():
            if worker.interrupter.interrupt(attempt, Interruption.DRAIN, worker.settings.cancel_grace):
                self._handed_back.add(attempt)
        return self._is_idle()


def _wait(condition: Callable[[], bool], timeout: float | None = None) -> None:
    """Until the condition holds, for at most `timeout` seconds."""
    pause = threading.Event()
    deadline = None if timeout is None else time.monotonic() + timeout
    while not condition() and (deadline is None or time.monotonic() < deadline):
        pause.wait(_LOOK_EVERY)
