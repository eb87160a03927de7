"""A worker's life in the database: registered, beating, draining, stopped."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from keystroke import ids
from keystroke.store import Database, fleet


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a heartbeat brought back.

    `alive` False: the worker was declared dead, its runs are others' now. `cancels`: attempts that somebody asked to cancel.
    `lost`: attempts that the worker believes to run and no longer has. `unknown`: attempts that it has by the database's
    account and does not run; should one stay so for a while, its claim was never answered, and it is to be recovered.
    `draining`: it is on record as such, perhaps because somebody asked for it.
    """

    alive: bool
    cancels: list[tuple[str, int]]
    lost: list[tuple[str, int]]
    unknown: list[tuple[str, int]]
    draining: bool = False


def register_worker(
    database: Database, project_id: str, deployment_id: str, queues: Sequence[str], concurrency: int
) -> str:
    """Add this process as a worker that is alive; its id."""
    worker_id = ids.new("wrk")
    worker = {
        "id": worker_id, "project_id": project_id, "host": socket.gethostname(), "pid": os.getpid(),
        "version": version("keystroke"), "deployment_id": deployment_id, "concurrency": concurrency,
    }  # fmt: skip
    with database.transaction() as tx:
        fleet.register(tx, worker, queues)
    return worker_id


def beat_heart(
    database: Database, worker_id: str, running: Sequence[tuple[str, int]], memory_mib: int
) -> Heartbeat:
    """Renew the lease of the worker's runs, and learn what happened to them meanwhile."""
    with database.transaction() as tx:
        state = fleet.beat(tx, worker_id, memory_mib)
        leases = fleet.leases(tx, worker_id)
        cancels = fleet.cancel_requests(tx, worker_id)
    return Heartbeat(
        alive=state is not None,
        cancels=[each for each in cancels if each in running],
        lost=[each for each in running if each not in leases],
        unknown=sorted(leases - set(running)),
        draining=state == "draining",
    )


def set_worker_draining(database: Database, worker_id: str) -> None:
    """The worker takes no new runs; those it has go on."""
    with database.transaction() as tx:
        fleet.set_state(tx, worker_id, "draining")


def stop_worker(database: Database, worker_id: str) -> None:
    """The worker has ended; should it have left a run behind, recovery takes it at once."""
    with database.transaction() as tx:
        fleet.set_state(tx, worker_id, "stopped")
