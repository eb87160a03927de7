"""The embedded database before and while the programs use it: its schema, what an earlier start left, who works on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from keystroke.operations.fleet_state import stop_worker
from keystroke.operations.recover_runs import recover_dead_workers
from keystroke.settings import Settings
from keystroke.store import Database, access, fleet
from keystroke.store.migrate import upgrade


@contextmanager
def prepared_database(environment: Mapping[str, str]) -> Iterator[Database]:
    """The database with this version's schema, and no run left to a worker that is no more.

    Only the holder of the project's locks may call this: it takes for granted that no worker is alive.
    """
    settings = Settings.load(environment)
    database = Database.from_settings(settings, pool_size=2)
    try:
        upgrade(database)
        _take_over(database, settings)
        yield database
    finally:
        database.close()


def has_worker(database: Database, process_id: int) -> bool:
    """Whether the worker with this process id is registered and takes work."""
    with database.read() as tx:
        workers = fleet.list_workers(access.local_scope(tx), tx)
    return any(worker.pid == process_id and worker.state == "alive" for worker in workers)


def _take_over(database: Database, settings: Settings) -> None:
    """Runs of killed workers go back to the queue now, not when their silence has lasted long enough."""
    with database.read() as tx:
        workers = fleet.list_workers(access.local_scope(tx), tx)
    for worker in workers:
        if worker.state in ("alive", "draining"):
            stop_worker(database, worker.id)
    recover_dead_workers(database, settings)
