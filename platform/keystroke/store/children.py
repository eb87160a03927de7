"""The children of runs: who starts them, how they ended, and which of them go on when their parent is canceled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keystroke.domain.child import ChildEnd
from keystroke.domain.payload import decode_payload
from keystroke.domain.states import TERMINAL, Status
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_PARENT: Final = Sql(
    "select organization_id, workflow, workflow_name, root_run_id from runs where id = :run_id"
)
# A statement that waited for the row has the row as it is by now, and all the rest as it was when the statement began.
_HOLD_PARENT: Final = Sql("""
select (select id from runs child where child.parent_run_id = runs.id and child.parent_step = :step) as child_run_id,
    events, (select events from runs seen where seen.id = runs.id) as events_seen
from runs where id = :run_id and attempt = :attempt and status = 'running' {for_update}
""")
_ANCESTORS: Final = Sql("""
with recursive line (id, parent_run_id) as (
    select id, parent_run_id from runs where id = :run_id
    union select runs.id, runs.parent_run_id from runs join line on runs.id = line.parent_run_id)
select 1 from line where id = :ancestor limit 1
""")
_STATES: Final = Sql("""
select id, workflow, status,
    (select body from run_payloads where run_id = runs.id and name = 'output') as output,
    (select body from run_payloads where run_id = runs.id and name = 'error') as error
from runs where id {in:run_ids}
""")

_ACTIVE: Final = "status in ('queued', 'running', 'sleeping', 'waiting_on_hook')"
_ENDING_WITH: Final = Sql(f"""
select id from runs where parent_run_id = :run_id and detached = 0 and {_ACTIVE} and cancel_requested_at is null
order by id limit :limit
""")
_CASCADING: Final = Sql(
    "select id from runs where cascading = 1 and status = 'canceled' order by id limit :limit"
)
_CASCADED: Final = Sql(f"""
update runs set cascading = 0 where id = :run_id and cascading = 1 and status = 'canceled' and not exists (
    select 1 from runs child where child.parent_run_id = :run_id and child.detached = 0 and child.{_ACTIVE}
    and child.cancel_requested_at is null)
""")


@dataclass(frozen=True, slots=True)
class Parent:
    """A run that starts a child."""

    organization_id: str
    workflow: str
    workflow_name: str
    root_run_id: str


@dataclass(frozen=True, slots=True)
class HeldParent:
    """The row of a run that starts a child, locked; `child_run_id` is the child that the step has started already."""

    child_run_id: str | None


def parent_of(tx: Tx, run_id: str) -> Parent | None:
    """What a child says of the run that starts it."""
    row = tx.row(_PARENT, {"run_id": run_id})
    return (
        None if row is None else Parent(row.organization_id, row.workflow, row.workflow_name, row.root_run_id)
    )


def hold_parent(tx: Tx, run_id: str, attempt: int, step: str) -> HeldParent | None:
    """Lock the row of a run that starts a child; None when the attempt no longer has it."""
    names = {"run_id": run_id, "attempt": attempt, "step": step}
    row = tx.row(_HOLD_PARENT, names)
    if row is not None and row.events != row.events_seen:
        # Whatever it waited for may have been the start of this very child.
        row = tx.row(_HOLD_PARENT, names)
    return None if row is None else HeldParent(row.child_run_id)


def descends_from(tx: Tx, run_id: str, ancestor: str) -> bool:
    """Whether a run is that other one, or was started by it, by one of its children, and so on."""
    return tx.row(_ANCESTORS, {"run_id": run_id, "ancestor": ancestor}) is not None


def ends_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, ChildEnd]:
    """How those of the runs ended that have; those that are not kept any more included."""
    rows = {row.id: row for row in tx.rows(_STATES, {"run_ids": list(run_ids)})}
    ends = {run_id: ChildEnd(run_id, "", None) for run_id in run_ids if run_id not in rows}
    for row in rows.values():
        status = Status(row.status)
        if status in TERMINAL:
            ends[row.id] = ChildEnd(
                row.id, row.workflow, status, decode_payload(row.output), decode_payload(row.error)
            )
    return ends


def ending_with(tx: Tx, run_id: str, limit: int) -> list[str]:
    """The children that are to end with a canceled run and were not told: active ones that are not detached."""
    return [row.id for row in tx.rows(_ENDING_WITH, {"run_id": run_id, "limit": limit})]


def cascading(tx: Tx, limit: int) -> list[str]:
    """Canceled runs some of whose children may not have been canceled yet."""
    return [row.id for row in tx.rows(_CASCADING, {"limit": limit})]


def note_cascaded(tx: Tx, run_id: str) -> None:
    """All children of a canceled run have been canceled, or asked to end; nothing where that is not so."""
    tx.run(_CASCADED, {"run_id": run_id})
