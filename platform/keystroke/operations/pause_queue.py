"""Pause a queue: what waits in it is not started; what runs goes on. Resume it."""

from __future__ import annotations

from keystroke.domain.actor import Actor
from keystroke.domain.scope import Scope
from keystroke.errors import QueueNotFound
from keystroke.store import Database, access, queues
from keystroke.store.access import Project
from keystroke.store.queues import Queue


def pause_queue(database: Database, scope: Scope, actor: Actor, project: Project, name: str) -> Queue:
    """Pause; harmless where it is paused. Raises QueueNotFound."""
    return _set_paused(database, scope, actor, project, name, paused=True)


def resume_queue(database: Database, scope: Scope, actor: Actor, project: Project, name: str) -> Queue:
    """Resume; harmless where it is not paused. Wake its workers then. Raises QueueNotFound."""
    return _set_paused(database, scope, actor, project, name, paused=False)


def _set_paused(
    database: Database, scope: Scope, actor: Actor, project: Project, name: str, *, paused: bool
) -> Queue:
    with database.transaction() as tx:
        known = [each.name for each in queues.list_queues(scope, tx, project)]
        if name not in known:
            raise QueueNotFound(name=name, known=", ".join(known) or "none")
        if queues.set_paused(tx, project, name, paused):
            action = "queue.pause" if paused else "queue.resume"
            access.audit(tx, project.organization_id, actor, action, f"{project.slug}/{name}")
        return next(each for each in queues.list_queues(scope, tx, project) if each.name == name)
