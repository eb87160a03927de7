"""What whoever is told of a failure learns of the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keystroke.clock import from_micros
from keystroke.domain.payload import decode_payload
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_GET: Final = Sql("""
select organization_id, project_id, workflow, workflow_name, root_run_id, trace_id,
    (select body from run_payloads where run_id = runs.id and name = 'input') as input,
    (select body from run_payloads where run_id = runs.id and name = 'error') as error
from runs where id = :run_id
""")
_CHAIN: Final = Sql("""
with recursive line (id, parent_run_id, parent_step, place) as (
    select id, parent_run_id, parent_step, 0 from runs where id = :run_id
    union all select runs.id, runs.parent_run_id, runs.parent_step, place + 1
    from runs join line on runs.id = line.parent_run_id where line.parent_step = :step and place < :longest)
select max(place) from line
""")
# By the clock: whoever fires by hand or fills in the past is looking.
_SCHEDULED: Final = Sql("""
select runs.workflow, runs.status_reason, runs.error_type, runs.error_message, runs.scheduled_at, runs.finished_at,
    runs.trigger_value, ticks.source_id
from runs left join ticks on ticks.id = runs.trigger_id
where runs.id = :run_id and runs.trigger_type = 'schedule' and coalesce(ticks.origin, '') = ''
""")
_LAST_SCHEDULED: Final = Sql("""
select id from runs
where project_id = :project_id and trigger_value = :attachment and trigger_type = 'schedule' and status = 'failed'
order by id desc limit 1
""")


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that has failed. `input` and `error` are as recorded, secrets sealed.

    `chain`: how many runs before it were started for a failure, each for that of the one before.
    """

    id: str
    organization_id: str
    project_id: str
    workflow: str
    workflow_name: str
    root_run_id: str
    trace_id: str
    input: Any
    error: dict[str, Any] | None
    chain: int


@dataclass(frozen=True, slots=True)
class ScheduledFailure:
    """A run that the clock started and that has failed; `trigger` is the schedule's slug."""

    id: str
    workflow: str
    reason: str | None
    error_type: str | None
    error_message: str | None
    scheduled_at: datetime | None
    finished_at: datetime | None
    trigger: str
    source_id: str | None


def failure_of(tx: Tx, run_id: str, step: str, longest: int) -> FailedRun:
    """A run that this transaction has let fail; `step` marks runs that were started for a failure, counted up to `longest`."""
    row = tx.row(_GET, {"run_id": run_id})
    assert row is not None, "failed in this transaction"
    chain = tx.value(_CHAIN, {"run_id": run_id, "step": step, "longest": longest})
    return FailedRun(
        run_id, row.organization_id, row.project_id, row.workflow, row.workflow_name, row.root_run_id, row.trace_id,
        decode_payload(row.input), decode_payload(row.error), int(chain),
    )  # fmt: skip


def scheduled_failure(tx: Tx, run_id: str) -> ScheduledFailure | None:
    """A run that this transaction has let fail, if a schedule has started it by the clock."""
    row = tx.row(_SCHEDULED, {"run_id": run_id})
    if row is None:
        return None
    return ScheduledFailure(
        run_id, row.workflow, row.status_reason, row.error_type, row.error_message, from_micros(row.scheduled_at),
        from_micros(row.finished_at), row.trigger_value.partition(":")[0], row.source_id,
    )  # fmt: skip


def last_scheduled_failure(tx: Tx, project_id: str, attachments: list[str]) -> str | None:
    """The newest failed run of these attachments of schedules."""
    rows = ({"project_id": project_id, "attachment": each} for each in attachments)
    found = (tx.value(_LAST_SCHEDULED, row) for row in rows)
    return max((str(run_id) for run_id in found if run_id is not None), default=None)
