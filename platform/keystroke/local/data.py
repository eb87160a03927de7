"""The embedded database before and while the programs use it: its schema, what an earlier start left, who works on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from keystroke.operations.fleet_state import stop_worker
from keystroke.operations.recover_runs import recover_dead_workers
from keystroke.settings import Settings
from keystroke.store import Database, access, deployments, fleet
from keystroke.store.fleet import WorkerRow
from keystroke.store.migrate import upgrade


@contextmanager
def prepared_database(environment: Mapping[str, str], directory: Path) -> Iterator[Database]:
    """The database with this version's schema, and no run left to a worker that is no more.

    Only the holder of the project's locks may call this: it takes for granted that no worker is alive.
    """
    settings = Settings.load(environment, directory)
    database = Database.from_settings(settings, pool_size=2)
    try:
        upgrade(database)
        _take_over(database, settings)
        yield database
    finally:
        database.close()


def find_worker(database: Database, process_id: int) -> WorkerRow | None:
    """The worker with this process id, once it is registered and takes work."""
    with database.read() as tx:
        workers = fleet.list_workers(access.local_scope(tx), tx)
    return next((each for each in workers if each.pid == process_id and each.state == "alive"), None)


def make_current(database: Database, worker: WorkerRow) -> None:
    """Make the code that the worker has loaded the project's current one.

    Elsewhere only new code becomes current by itself, so that an old worker changes nothing; here the saved files rule,
    also when an edit was taken back.
    """
    with database.transaction() as tx:
        projects = access.list_projects(access.local_scope(tx), tx)
        project = next(each for each in projects if each.id == worker.project_id)
        if project.current_deployment_id != worker.deployment_id:
            deployments.activate(tx, project, worker.deployment_id)


def _take_over(database: Database, settings: Settings) -> None:
    """Runs of killed workers go back to the queue now, not when their silence has lasted long enough."""
    with database.read() as tx:
        workers = fleet.list_workers(access.local_scope(tx), tx)
    for worker in workers:
        if worker.state in ("alive", "draining"):
            stop_worker(database, worker.id)
    recover_dead_workers(database, settings)
