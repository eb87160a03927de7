"""Start a worker: load the project, publish it, register, fork, and serve until told to drain."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Final

from keystroke.authoring.project import LoadedProject, load_project
from keystroke.broker.celery_app import make_app, queue_name
from keystroke.errors import DatabaseUnavailable, KeystrokeError
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.settings import Settings
from keystroke.store.migrate import check_revision
from keystroke.telemetry.logs import configure_logging
from keystroke.telemetry.outage import Outage
from keystroke_worker import here
from keystroke_worker.celery_worker import FleetWorker, make_worker
from keystroke_worker.tasks import add_tasks
from keystroke_worker.telling import TellingDatabase
from keystroke_worker.vital import die_with_own_threads
from keystroke_worker.worker_process import WorkerProcess

_UNUSABLE: Final = 2
_RETRY: Final = 1.0
_NO_WINDOWS: Final = "Workers need to fork, which Windows cannot: run this worker under Linux, macOS or WSL."


def run_worker(settings: Settings, directory: Path) -> int:
    """Serve the project in `directory` until SIGTERM or Ctrl-C; the exit code.

    0: drained. 2: the settings, the project or the database's schema cannot be used, which is said on stderr.
    """
    configure_logging(settings, "worker")
    if sys.platform == "win32":
        return _refuse(_NO_WINDOWS)
    try:
        settings.require("database_url", "broker_url", "secret_key")
        project = load_project(directory)
        worker = _register(settings, project)
    except KeystrokeError as error:
        return _refuse(str(error))
    die_with_own_threads()
    here.begin_worker(worker)
    celery_worker = _celery_worker(worker)
    celery_worker.start()
    return int(celery_worker.exitcode or os.EX_OK)


def _register(settings: Settings, project: LoadedProject) -> WorkerProcess:
    """Publish the project and register; waits for the database as long as it takes."""
    database = TellingDatabase.from_settings(settings)
    outage = Outage.of_database()
    while True:
        try:
            check_revision(database)
            published = publish_deployment(database, project.manifest)
            worker = WorkerProcess(settings, database, project, published)
        except DatabaseUnavailable as error:
            outage.failed(error)
            time.sleep(_RETRY)
        else:
            outage.answered()
            return worker


def _celery_worker(worker: WorkerProcess) -> FleetWorker:
    app = make_app(worker.settings)
    add_tasks(app)
    queues = [queue_name(worker.settings, worker.project_id, queue) for queue in worker.queues]
    return make_worker(app, f"keystroke-{os.getpid()}@{platform.node()}", queues, worker.settings.concurrency)


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return _UNUSABLE
