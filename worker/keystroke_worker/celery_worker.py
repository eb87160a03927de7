"""Celery's worker, as we run it: a thread-fed pool, our own signals, our own log."""

from __future__ import annotations

import logging
import signal
import warnings
from types import FrameType
from typing import Any, Final

from celery import Celery, bootsteps, signals
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning

from keystroke_worker import here
from keystroke_worker.consumer import FleetConsumer
from keystroke_worker.forks import allow_forks_beside_threads
from keystroke_worker.pool import ChildPool

#: What these say in their own words, the worker announces: that a child has died, that the broker is away.
_SILENT: Final = ("celery.worker.request", "celery.worker.consumer.consumer", "multiprocessing")


class FleetWorker(Worker):  # type: ignore[misc]
    """A Celery worker whose children claim from the database."""

    def should_use_eventloop(self) -> bool:
        """No: with the event loop nothing reaches a child while the broker is away; threads feed the pool throughout.

        An internal of Celery 5.7 (hence the pin); tests/acceptance/test_fleet_faults.py notices when it changes.
        """
        return False

    def setup_logging(self, colorize: bool | None = None) -> bool:
        """Logging is configured already."""
        return True

    def install_platform_tweaks(self, worker: Worker) -> None:
        """Our handlers in place of Celery's: SIGTERM and Ctrl-C drain, however often they come."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, _drain)

    def stop_consuming(self) -> None:
        """Leave further messages to other workers; from any thread."""
        consumer = self.consumer
        if consumer.task_consumer is not None:
            consumer.call_soon(consumer.task_consumer.cancel)


class LookAfterChildren(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the worker's threads, once the pool has forked, whether or not the broker is there."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: FleetWorker) -> None:
        """Start them; they end with the process."""
        here.worker_process().start_threads(parent)


def make_worker(app: Celery, hostname: str, queues: list[str], concurrency: int) -> FleetWorker:
    """The worker of this process, ready to start."""
    allow_forks_beside_threads()
    # It warns of root because of pickled messages, and none are accepted here.
    warnings.simplefilter("ignore", SecurityWarning)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # Having a receiver is what keeps Celery from configuring the log of its children.
    signals.setup_logging.connect(_keep_logging, weak=False)
    app.steps["worker"].add(LookAfterChildren)
    return FleetWorker(
        app=app, hostname=hostname, queues=queues, concurrency=concurrency, pool_cls=ChildPool, quiet=True,
        without_gossip=True, without_mingle=True, without_heartbeat=True, optimization="fair",
        consumer_cls=FleetConsumer,
    )  # fmt: skip


def _drain(_signal: int, _frame: FrameType | None) -> None:
    here.worker_process().slots.begin_draining()


def _keep_logging(**_arguments: Any) -> None:
    """The log is as the main process configured it."""
