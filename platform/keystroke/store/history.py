"""Reads of runs: lists, one run with all that belongs to it, what a waiting caller asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.filters import Page, RunFilter
from keystroke.domain.payload import decode_payload
from keystroke.domain.run import Attempt, Progress, Run, TimelineEntry
from keystroke.domain.scope import Scope
from keystroke.domain.states import CLAIM, Reason, Status
from keystroke.domain.usage import UsageItem, from_nano
from keystroke.errors import AmbiguousRunId, RunNotFound
from keystroke.ids import RUN_ID_PREFIX
from keystroke.store.access import Project, find_project, list_projects
from keystroke.store.database import Tx
from keystroke.store.limits import RATE, RUNNING
from keystroke.store.run_filters import STEP_COUNT, conditions_of
from keystroke.store.sql import Sql
from keystroke.store.steps import list_steps, list_usage
from keystroke.store.traces import list_logs, list_spans

__all__ = [
    "RunPage", "WorkflowStats", "find_run_id", "get_run", "list_attempts", "list_logs", "list_runs", "list_runs_by_id",
    "list_spans", "list_statuses", "list_steps", "list_timeline", "list_workflow_stats",
]  # fmt: skip

LONGEST_QUERY: Final = 2.0
_RUN: Final = f"""
select runs.*, {{now}} as now, {STEP_COUNT} as steps_so_far,
    exists (select 1 from queues where queues.project_id = runs.project_id and queues.name = runs.queue
            and queues.paused_at is not null) as queue_paused,
    case when runs.status = 'queued' and runs.concurrency_key is not null
        then runs.concurrency_limit <= {RUNNING.format(project="runs.project_id", key="runs.concurrency_key")} end as key_full
from runs
"""
_GET: Final = Sql(f"{_RUN} where runs.id = :run_id and runs.organization_id = :organization_id")
_BY_ID: Final = Sql(
    f"{_RUN} where runs.id {{in:run_ids}} and runs.project_id {{in:projects}} order by runs.id"
)
_PAYLOADS: Final = Sql("select name, body from run_payloads where run_id = :run_id")
_FIND: Final = Sql("""
select id from runs where id >= :first and id < :after and project_id {in:projects} order by id limit 2
""")
_STATUSES: Final = Sql("select id, status from runs where id {in:run_ids} and project_id {in:projects}")
_TIMELINE: Final = Sql("select * from transitions where run_id = :run_id order by id")
_STATS: Final = Sql("""
select workflow, max(id) as last_run_id,
    sum(case when status in ('success', 'failed') then 1 else 0 end) as finished,
    sum(case when status = 'success' then 1 else 0 end) as succeeded
from (select workflow, id, status from runs where project_id = :project_id order by id desc limit 1000) newest
group by workflow
""")
_LAST: Final = Sql("select id, status, created_at from runs where id {in:run_ids}")


@dataclass(frozen=True, slots=True)
class RunPage:
    """Part of a list, newest first; `has_more` when older ones fit the filter too."""

    runs: list[Run]
    has_more: bool


@dataclass(frozen=True, slots=True)
class WorkflowStats:
    """How the newest runs of a workflow went (of the project's newest thousand)."""

    last_run_id: str
    last_status: Status
    last_at: datetime
    finished: int
    succeeded: int


def list_runs(scope: Scope, tx: Tx, wanted: RunFilter, page: Page) -> RunPage:
    """The newest runs that fit, without input, output and error. Raises QueryTooSlow after two seconds."""
    projects = _projects(scope, tx)
    asked = [each.id for each in projects if not wanted.project or each.slug in wanted.project]
    conditions = conditions_of(wanted)
    conditions.add_choice("runs.project_id", "projects", asked)
    if page.before is not None:
        conditions.add("runs.id < :before", before=page.before)
    sql = Sql(f"{_RUN} where {conditions.text} order by runs.id desc limit :limit")
    with tx.limited(LONGEST_QUERY, in_order=bool(wanted.q)):
        rows = tx.rows(sql, {**conditions.parameters, "limit": page.limit + 1})
        usage = list_usage(scope, tx, [row.id for row in rows[: page.limit]], asked)
    by_id = {each.id: each for each in projects}
    runs = [_run(row, by_id[row.project_id], {}, usage.get(row.id, [])) for row in rows[: page.limit]]
    return RunPage(runs, has_more=len(rows) > page.limit)


def list_runs_by_id(scope: Scope, tx: Tx, run_ids: Sequence[str]) -> list[Run]:
    """Those of the runs that exist for the scope, oldest first, without input, output and error."""
    by_id = {each.id: each for each in _projects(scope, tx)}
    rows = tx.rows(_BY_ID, {"run_ids": list(run_ids), "projects": list(by_id)}) if run_ids else []
    usage = list_usage(scope, tx, [row.id for row in rows], list(by_id))
    return [_run(row, by_id[row.project_id], {}, usage.get(row.id, [])) for row in rows]


def get_run(scope: Scope, tx: Tx, run_id: str) -> Run:
    """One run, with its payloads where the scope may see them. Raises RunNotFound."""
    row = tx.row(_GET, {"run_id": run_id, "organization_id": scope.organization_id})
    project = None if row is None else find_project(scope, tx, row.project_id)
    if row is None or project is None:
        raise RunNotFound(run_id=run_id)
    bodies = tx.rows(_PAYLOADS, {"run_id": run_id})
    payloads = {
        each.name: decode_payload(each.body) for each in bodies if scope.payloads or each.name == "error"
    }
    usage = list_usage(scope, tx, [run_id], [row.project_id])
    return _run(row, project, payloads, usage.get(run_id, []))


def find_run_id(scope: Scope, tx: Tx, prefix: str) -> str:
    """The id of the one run that begins so. Raises RunNotFound, AmbiguousRunId."""
    if not RUN_ID_PREFIX.match(prefix):
        raise RunNotFound(run_id=prefix)
    rows = tx.rows(_FIND, {"first": prefix, "after": prefix + "{", "projects": _project_ids(scope, tx)})
    if not rows:
        raise RunNotFound(run_id=prefix)
    if len(rows) > 1:
        raise AmbiguousRunId(run_id=prefix)
    return str(rows[0].id)


def list_statuses(scope: Scope, tx: Tx, run_ids: Sequence[str]) -> dict[str, Status]:
    """The statuses of some runs; those that do not exist for the scope are left out."""
    rows = tx.rows(_STATUSES, {"run_ids": list(run_ids), "projects": _project_ids(scope, tx)})
    return {row.id: Status(row.status) for row in rows}


def list_timeline(scope: Scope, tx: Tx, run_id: str) -> list[TimelineEntry]:
    """Every transition of a run, oldest first. Raises RunNotFound."""
    get_run(scope, tx, run_id)
    return [
        TimelineEntry(
            from_micros(row.at), row.transition, Status(row.status), _reason(row.reason), row.attempt, row.worker_id,
            Actor(row.actor_type, row.actor_id, row.actor_name),
        )
        for row in tx.rows(_TIMELINE, {"run_id": run_id})
    ]  # fmt: skip


def list_attempts(scope: Scope, tx: Tx, run_id: str) -> list[Attempt]:
    """The attempts of a run: each claim in its timeline, with the transition that came after it."""
    timeline = list_timeline(scope, tx, run_id)
    attempts = []
    for entry, after in zip(timeline, [*timeline[1:], None], strict=True):
        if entry.transition == CLAIM.name:
            ended = (after.at, after.transition) if after else (None, None)
            attempts.append(Attempt(entry.attempt, entry.worker, entry.at, *ended))
    return attempts


def list_workflow_stats(scope: Scope, tx: Tx, project: Project) -> dict[str, WorkflowStats]:
    """How each workflow of a project did lately, by slug."""
    if project.id not in _project_ids(scope, tx):
        return {}
    rows = tx.rows(_STATS, {"project_id": project.id})
    last = {row.id: row for row in tx.rows(_LAST, {"run_ids": [each.last_run_id for each in rows]})}
    return {
        row.workflow: WorkflowStats(
            row.last_run_id, Status(last[row.last_run_id].status), from_micros(last[row.last_run_id].created_at),
            int(row.finished), int(row.succeeded),
        )
        for row in rows
    }  # fmt: skip


def _projects(scope: Scope, tx: Tx) -> list[Project]:
    return list_projects(scope, tx)


def _project_ids(scope: Scope, tx: Tx) -> list[str]:
    return [project.id for project in _projects(scope, tx)]


def _reason(text: str | None) -> Reason | None:
    return None if text is None else Reason(text)


def _status_reason(row: Row[Any]) -> Reason | None:
    """Of a queued run it is computed, since nobody writes to a row that just waits."""
    if row.status != Status.QUEUED:
        return _reason(row.status_reason)
    if row.due_at > row.now:
        return Reason.SCHEDULED
    if row.queue_paused:
        return Reason.QUEUE_PAUSED
    if (row.parked_on or "").startswith(RATE):
        return Reason.WAITING_FOR_RATE_LIMIT
    return Reason.WAITING_FOR_CONCURRENCY if row.parked_on or row.key_full else Reason.WAITING_FOR_WORKER


def _run(row: Row[Any], project: Project, payloads: dict[str, Any], usage: list[UsageItem]) -> Run:
    progress = None
    if row.progress_at is not None:
        progress = Progress(row.progress_fraction, row.progress_message, from_micros(row.progress_at))
    return Run(
        id=row.id, kind=row.kind, workflow=row.workflow, workflow_name=row.workflow_name, project=project.slug,
        organization=project.organization, status=Status(row.status), status_reason=_status_reason(row),
        trigger=Trigger(
            row.trigger_type, row.trigger_label, row.trigger_value, row.trigger_id, payloads.get("trigger"),
            from_micros(row.fired_at), from_micros(row.scheduled_at), from_micros(row.previous_fire_at), row.missed,
        ),
        actor=Actor(row.actor_type, row.actor_id, row.actor_name), created_at=from_micros(row.created_at),
        queued_at=from_micros(row.queued_at), started_at=from_micros(row.started_at),
        finished_at=from_micros(row.finished_at), updated_at=from_micros(row.updated_at), attempt=row.attempt,
        failures=row.failures, recoveries=row.recoveries, active_ms=row.active_us // 1000, step_count=row.steps_so_far,
        total_cost=from_nano(sum(round(item.cost * 10**9) for item in usage)), currency=row.currency or "USD",
        progress=progress, parent_run_id=row.parent_run_id, root_run_id=row.root_run_id, replay_of=row.replay_of,
        deployment=row.deployment_id, cancel_requested_at=from_micros(row.cancel_requested_at),
        idempotency_key=row.idempotency_key, priority=row.priority, queue=row.queue,
        expires_at=from_micros(row.expires_at), trace_id=row.trace_id, input=payloads.get("input"),
        output=payloads.get("output"), error=payloads.get("error"), tags=json.loads(row.tags or "{}"),
        usage=tuple(usage),
    )  # fmt: skip
