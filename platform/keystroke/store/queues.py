"""Queues: which there are, how much waits in them, and which are paused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keystroke.clock import from_micros
from keystroke.domain.scope import Scope
from keystroke.store import deployments
from keystroke.store.access import Project
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_LONGEST_QUERY: Final = 2.0
# What is scheduled for later does not wait yet.
_WAITING: Final = Sql("""
select queue, count(*) as depth, sum(case when parked_on is null then 0 else 1 end) as parked, min(queued_at) as oldest,
    max({now}) - min(queued_at) as oldest_us
from runs where project_id = :project_id and status = 'queued' and due_at <= {now} group by queue
""")
_PAUSED: Final = Sql("select name, paused_at from queues where project_id = :project_id")
_SERVED: Final = Sql(
    "select queues, concurrency from workers where project_id = :project_id and state = 'alive'"
)
_PAUSE: Final = Sql("""
insert into queues (project_id, name, paused_at) values (:project_id, :name, {now})
on conflict (project_id, name) do update set paused_at = {now} where queues.paused_at is null
""")
_RESUME: Final = Sql("""
update queues set paused_at = null where project_id = :project_id and name = :name and paused_at is not null
""")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: runs that are due and wait in it, of them those that a limit holds back, and how long the oldest has waited.

    `workers` are those alive that serve it, `places` how many runs they execute at once.
    """

    name: str
    paused_at: datetime | None
    depth: int
    limited: int
    oldest_queued_at: datetime | None
    oldest_ms: int | None
    workers: int
    places: int


def list_queues(scope: Scope, tx: Tx, project: Project) -> list[Queue]:
    """The queues of a project, by name: those that its workflows name, that workers serve, that runs wait in, that are paused.

    Raises QueryTooSlow after two seconds.
    """
    names = {"project_id": project.id}
    with tx.limited(_LONGEST_QUERY):
        waiting = {row.queue: row for row in tx.rows(_WAITING, names)}
    paused = {row.name: from_micros(row.paused_at) for row in tx.rows(_PAUSED, names)}
    served = [(json.loads(row.queues), row.concurrency) for row in tx.rows(_SERVED, names)]
    named = {workflow.queue for workflow in deployments.get_workflows(scope, tx, project).values()}
    listed = named | set(waiting) | set(paused) | {name for queues, _ in served for name in queues}
    found = []
    for name in sorted(listed):
        row, places = waiting.get(name), [places for queues, places in served if name in queues]
        found.append(
            Queue(
                name, paused.get(name), row.depth if row else 0, int(row.parked) if row else 0,
                from_micros(row.oldest) if row else None, row.oldest_us // 1000 if row else None,
                len(places), sum(places),
            )
        )  # fmt: skip
    return found


def set_paused(tx: Tx, project: Project, name: str, paused: bool) -> bool:
    """Pause or resume a queue; False when it was so already."""
    statement = _PAUSE if paused else _RESUME
    return tx.run(statement, {"project_id": project.id, "name": name}) == 1
