"""Where a run stands that waits: counts and names for its own page, too dear for a list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.keys import noun_of
from keystroke.domain.scope import Scope
from keystroke.domain.standing import MOST_AHEAD, Standing
from keystroke.domain.states import Reason, Status
from keystroke.errors import WorkflowNotFound
from keystroke.store.access import Project, find_project
from keystroke.store.database import Tx
from keystroke.store.deployments import get_workflow
from keystroke.store.limits import ACTIVE, RATE, RUNNING
from keystroke.store.schedules import OVERLAP
from keystroke.store.sql import Sql

_LONGEST_QUERY: Final = 2.0
_ROW: Final = Sql(f"""
select runs.*, {{now}} as now,
    {RUNNING.format(project="runs.project_id", key="runs.concurrency_key")} as running,
    (select count(*) from workers where workers.project_id = runs.project_id and workers.state = 'alive'
        and workers.queues like '%"' || runs.queue || '"%') as workers,
    (select count(distinct child_run_id) from child_waits where child_waits.run_id = runs.id) as children
from runs where id = :run_id and organization_id = :organization_id
""")
_HOOKS: Final = Sql("""
select name from hooks where run_id = :run_id and status = 'waiting' and awaited = 1 order by id
""")
# Those that share the limit that holds it back; else those that wait in its queue and could be claimed.
_AHEAD: Final = """
select count(*) from (
    select 1 from runs where project_id = :project_id and status = 'queued' and due_at <= {{now}} and {line}
    and (priority > :priority or priority = :priority and queued_at < :queued_at) limit :most) ahead
"""
_AHEAD_OF_KEY: Final = Sql(_AHEAD.format(line=f"concurrency_key = :concurrency_key and status {ACTIVE}"))
_AHEAD_OF_RATE: Final = Sql(_AHEAD.format(line="rate_key = :rate_key and attempt = admitted_after"))
_AHEAD_IN_QUEUE: Final = Sql(_AHEAD.format(line="queue = :queue and parked_on is null"))
_RESTING: Final = (Status.QUEUED, Status.SLEEPING, Status.WAITING_ON_HOOK)
_LINES: Final = {
    Reason.WAITING_FOR_CONCURRENCY: _AHEAD_OF_KEY,
    Reason.WAITING_FOR_RATE_LIMIT: _AHEAD_OF_RATE,
    Reason.WAITING_FOR_WORKER: _AHEAD_IN_QUEUE,
    Reason.QUEUE_PAUSED: _AHEAD_IN_QUEUE,
}


def get_standing(scope: Scope, tx: Tx, run_id: str, reason: Reason | None) -> Standing | None:
    """What a run that waits for `reason` waits for; None where there is nothing to add to its record."""
    row = tx.row(_ROW, {"run_id": run_id, "organization_id": scope.organization_id})
    project = None if row is None else find_project(scope, tx, row.project_id)
    if row is None or project is None or row.status not in _RESTING:
        return None
    return Standing(
        now=from_micros(row.now),
        due=from_micros(row.due_at) if row.status != Status.QUEUED else None,
        shared=_shared(scope, tx, project, row, reason),
        running=row.running,
        limit=0 if row.parked_on == OVERLAP else row.concurrency_limit or 0,
        rate=row.rate_limit or 0,
        per=timedelta(microseconds=row.rate_per_us or 0),
        ahead=_ahead(tx, row, reason),
        workers=row.workers,
        hooks=tuple(each.name for each in tx.rows(_HOOKS, {"run_id": run_id})),
        children=row.children,
    )


def _ahead(tx: Tx, row: Row[Any], reason: Reason | None) -> int:
    line = None if reason is None else _LINES.get(reason)
    if line is None:
        return 0
    names = ("project_id", "priority", "queued_at", "queue", "concurrency_key", "rate_key")
    with tx.limited(_LONGEST_QUERY):
        return int(tx.value(line, {name: getattr(row, name) for name in names} | {"most": MOST_AHEAD + 1}))


def _shared(scope: Scope, tx: Tx, project: Project, row: Row[Any], reason: Reason | None) -> str:
    """What the runs of the limit have in common, with the word that the template uses for it."""
    rated = reason is Reason.WAITING_FOR_RATE_LIMIT or (row.parked_on or "").startswith(RATE)
    key = row.rate_key if rated else row.concurrency_key
    value = (key or "").partition("/")[2]
    if not value:
        return ""
    try:
        workflow = get_workflow(scope, tx, project, row.workflow)
    except WorkflowNotFound:
        return value
    limit = (workflow.rate_limit if rated else workflow.concurrency) or {}
    return f"{noun_of(limit.get('key'))} {value}".strip()
