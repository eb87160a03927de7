"""Whether this worker can work, for whoever supervises it: it can while its heartbeat succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keystroke.telemetry.health import HealthServer, silence

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

#: Heartbeats in a row that may fail before the worker calls itself unready.
_MISSED: Final = 3


def make_health(worker: WorkerProcess) -> HealthServer | None:
    """`/healthz` and `/readyz` of a worker, where an address for them is configured."""
    settings = worker.settings
    if not settings.health_listen:
        return None
    unready = silence(lambda: worker.heartbeat.last_success, _MISSED * settings.heartbeat, "heartbeat")
    return HealthServer(settings.health_listen, unready)
