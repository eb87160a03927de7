"""Children that died in the middle of an attempt: their runs and ticks are recovered at once, by their own worker."""

from __future__ import annotations

import os
import queue
import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from keystroke.errors import DatabaseUnavailable
from keystroke.operations.recover_runs import recover_attempt
from keystroke.telemetry import announce
from keystroke.telemetry.events import ChildLost, RunRecovered
from keystroke.telemetry.outage import Outage
from keystroke_worker.forks import no_fork
from keystroke_worker.slots import Attempt

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

_RETRY: Final = 1.0


class Losses:
    """Takes note of deaths in the pool's thread, and recovers in a thread of its own, until the database lets it."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Of this worker."""
        self._worker = worker
        self._lost: queue.Queue[tuple[Attempt, timedelta]] = queue.Queue()
        self._outage = Outage.of_database()

    def start(self) -> None:
        """Begin to recover."""
        threading.Thread(target=self._recover_all, name="keystroke-losses", daemon=True).start()

    @property
    def settled(self) -> bool:
        """Whether everything that was lost so far is recovered."""
        return self._lost.unfinished_tasks == 0

    def note(self, process: Any) -> None:
        """A child has died: clear its slot for its successor, end what it left behind, recover what it executed."""
        slot = self._worker.slots[process.index]
        if slot.pid != process.pid:
            return
        attempt, worked = slot.attempt, slot.worked
        slot.clear()
        _kill_group(process.pid)
        if attempt is not None:
            announce(
                ChildLost(
                    worker_id=self._worker.slots.worker_id, pid=process.pid, how=_how(process.exitcode),
                    run_id=attempt.id,
                )
            )  # fmt: skip
            self.recover(attempt, worked)

    def recover(self, attempt: Attempt, worked: timedelta = timedelta()) -> None:
        """Have what this attempt had recovered: nobody executes it. `worked` is how long it went on, if that is known."""
        self._lost.put((attempt, worked))

    def _recover_all(self) -> None:
        while True:
            attempt, worked = self._lost.get()
            while not self._recover(attempt, worked):
                threading.Event().wait(_RETRY)
            self._lost.task_done()

    def _recover(self, attempt: Attempt, worked: timedelta) -> bool:
        worker = self._worker
        with no_fork():
            try:
                recovered = recover_attempt(
                    worker.database, attempt.id, attempt.number, worker.settings, worked
                )
            except DatabaseUnavailable as error:
                self._outage.failed(error)
                return False
            self._outage.answered()
            if recovered is not None:
                announce(RunRecovered(run_id=recovered.run_id, status=recovered.status.value))
                worker.wakeups.wake_all(recovered.queues)
            return True


def _kill_group(group: int) -> None:
    """End what user code had started; there may be nothing."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return signal.Signals(-exitcode).name
    return f"exit code {exitcode}"
