"""For `celery -A keystroke_worker.app worker`: the same worker as `keystroke worker`, of the project in this directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from celery import Celery
from celery.concurrency.prefork import TaskPool
from celery.exceptions import ImproperlyConfigured

from keystroke.broker.celery_app import make_app
from keystroke.settings import Settings
from keystroke_worker.tasks import add_tasks

_ONLY_PREFORK: Final = (
    "Keystroke's workers run in the prefork pool only: an attempt is interrupted by a signal and ended by killing its "
    "process, which threads and greenlets do not have. Leave --pool out."
)


class CommandLineWorker:
    """What Celery's command starts. Settings come from the environment and keystroke.toml, not from its options."""

    def __init__(self, pool: Any = TaskPool, **_options: Any) -> None:
        """Refuse another pool than prefork; Celery's command gives its class."""
        if pool is not TaskPool:
            raise ImproperlyConfigured(_ONLY_PREFORK)
        self.exitcode: int = os.EX_OK

    def start(self) -> None:
        """Serve until told to drain."""
        from keystroke_worker.main import run_worker

        self.exitcode = run_worker(_settings, Path.cwd())


def _make() -> Celery:
    celery = make_app(_settings)
    add_tasks(celery)
    celery.Worker = CommandLineWorker
    return celery


_settings: Final = Settings.load()
app: Final = _make()
