"""A worker's main process: what it serves, and the threads that look after its children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keystroke.authoring.project import LoadedProject
from keystroke.broker.control import ControlListener
from keystroke.broker.wakeups import Wakeups
from keystroke.execution.gate import Interruption
from keystroke.operations.fleet_state import register_worker
from keystroke.operations.publish_deployment import Published
from keystroke.settings import Settings
from keystroke.telemetry import announce
from keystroke.telemetry.events import WorkerRegistered
from keystroke_worker.deadlines import Deadlines
from keystroke_worker.drain import Drain
from keystroke_worker.health import make_health
from keystroke_worker.heartbeat import HeartbeatThread
from keystroke_worker.interrupter import Interrupter
from keystroke_worker.lifeline import Lifeline
from keystroke_worker.lookout import Lookout
from keystroke_worker.losses import Losses
from keystroke_worker.slots import Attempt, Slots
from keystroke_worker.telling import TellingDatabase
from keystroke_worker.watchdog import Watchdog

if TYPE_CHECKING:
    from keystroke_worker.celery_worker import FleetWorker


class WorkerProcess:
    """One worker of one project. Made before the first fork; its threads are started after it."""

    def __init__(
        self, settings: Settings, database: TellingDatabase, project: LoadedProject, published: Published
    ) -> None:
        """Register as a worker of the published deployment."""
        self.settings = settings
        self.database = database
        self.project = project
        self.project_id = published.project.id
        self.deployment_id = published.deployment_id
        self.queues = settings.queues
        self.slots = Slots(settings.concurrency)
        self.lifeline = Lifeline()
        self.wakeups = Wakeups(settings)
        self.losses = Losses(self)
        self.interrupter = Interrupter(self.slots)
        self.heartbeat = HeartbeatThread(self)
        self._deadlines = Deadlines(self)
        self._lookout = Lookout(self)
        self._drain = Drain(self)
        self._watchdog = Watchdog(self)
        self._health = make_health(self)
        self._listener = ControlListener(settings, lambda: self.slots.worker_id, self.cancel)
        self.register()

    def register(self) -> None:
        """Begin a life as a worker: at the start, and after having been declared dead."""
        self.slots.worker_id = register_worker(
            self.database, self.project_id, self.deployment_id, self.queues, self.settings.concurrency
        )
        announce(
            WorkerRegistered(
                worker_id=self.slots.worker_id, project=self.project.project, queues=", ".join(self.queues),
                concurrency=self.settings.concurrency,
            )
        )  # fmt: skip

    def start_threads(self, celery_worker: FleetWorker) -> None:
        """Once the children are there."""
        self.losses.start()
        self.interrupter.start()
        self._deadlines.start()
        self.heartbeat.start()
        self._listener.start()
        self._lookout.start(celery_worker.pool)
        self._drain.start(celery_worker.stop_consuming)
        self._watchdog.start()
        if self._health:
            self._health.start()

    def cancel(self, run_id: str, attempt: int) -> None:
        """Cancel an attempt that is executed here; its run's row holds the request."""
        self.interrupter.interrupt(Attempt(run_id, attempt), Interruption.CANCEL, self.settings.cancel_grace)
