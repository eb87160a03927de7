"""Whether this worker can work, for whoever supervises it: it can while its heartbeat succeeds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from keystroke.telemetry.health import HealthServer

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

#: Heartbeats in a row that may fail before the worker calls itself unready.
_MISSED: Final = 3


class Health:
    """`/healthz` and `/readyz` of a worker, where an address for them is configured."""

    def __init__(self, worker: WorkerProcess) -> None:
        """Take the configured address; InvalidSettings where it cannot be had."""
        self._worker = worker
        listen = worker.settings.health_listen
        self._server = HealthServer(listen, self._unready) if listen else None

    def start(self) -> None:
        """Begin to answer."""
        if self._server:
            self._server.start()

    def _unready(self) -> str | None:
        silent = time.monotonic() - self._worker.heartbeat.last_success
        late = silent > _MISSED * self._worker.settings.heartbeat
        return f"no heartbeat has succeeded for {silent:.0f} s" if late else None
