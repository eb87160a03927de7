"""Drain a worker: it takes no new runs, finishes or hands back those that it has, and ends."""

from __future__ import annotations

from keystroke.domain.actor import Actor
from keystroke.domain.scope import Scope
from keystroke.errors import WorkerEnded, WorkerNotFound
from keystroke.store import Database, access, fleet
from keystroke.store.fleet import WorkerRow


def drain_worker(database: Database, scope: Scope, actor: Actor, worker_id: str) -> WorkerRow:
    """Ask a worker to drain; it learns so with its next heartbeat. Harmless where it drains already.

    Raises WorkerNotFound, WorkerEnded.
    """
    with database.transaction() as tx:
        found = _find(fleet.list_workers(scope, tx), worker_id)
        if found.state not in ("alive", "draining"):
            raise WorkerEnded(worker_id=worker_id, state=found.state)
        if fleet.set_state(tx, worker_id, "draining") and found.state == "alive":
            access.audit(tx, scope.organization_id, actor, "worker.drain", worker_id)
        return _find(fleet.list_workers(scope, tx), worker_id)


def _find(workers: list[WorkerRow], worker_id: str) -> WorkerRow:
    for worker in workers:
        if worker.id == worker_id:
            return worker
    raise WorkerNotFound(worker_id=worker_id)
