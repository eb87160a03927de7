"""Deadlines: attempts whose run has worked for as long as it may are interrupted, and killed when they do not let go."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from keystroke.execution.gate import Interruption
from keystroke_worker.forks import no_fork

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

_LOOK_EVERY: Final = 0.1


class Deadlines:
    """A thread of the main process, which user code cannot keep from looking."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Of this worker."""
        self._worker = worker

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._look_all, name="keystroke-deadlines", daemon=True).start()

    def _look_all(self) -> None:
        pause = threading.Event()
        while True:
            with no_fork():
                self._look()
            pause.wait(_LOOK_EVERY)

    def _look(self) -> None:
        worker = self._worker
        for slot in worker.slots:
            attempt = slot.overdue
            if attempt is not None:
                worker.interrupter.interrupt(attempt, Interruption.TIMEOUT, worker.settings.cancel_grace)
