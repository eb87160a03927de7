"""What changed since a reader last looked: for the streams of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keystroke.clock import from_micros
from keystroke.domain.actor import Actor
from keystroke.domain.run import Progress, TimelineEntry
from keystroke.domain.scope import Scope
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepKind, StepState, StepStatus
from keystroke.errors import RunNotFound
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_SEEN: Final = """runs.organization_id = :organization_id
    and (cast(:everywhere as integer) = 1 or runs.project_id {in:projects})"""
_NEWEST: Final = Sql("select coalesce(max(id), 0) as newest from transitions")
_CHANGES: Final = Sql(f"""
select transitions.id, transitions.run_id, transitions.transition, transitions.status, runs.workflow
from transitions join runs on runs.id = transitions.run_id
where transitions.id > :after and {_SEEN} order by transitions.id limit :limit
""")
_PROGRESS: Final = Sql(f"""
select progress_fraction, progress_message, progress_at from runs where id = :run_id and {_SEEN}
""")
_STEPS: Final = Sql(f"""
select identity, name, steps.kind, steps.status, steps.attempt, steps.started_at, steps.finished_at from steps
join runs on runs.id = steps.run_id where steps.run_id = :run_id and {_SEEN} order by steps.started_at, identity
""")
_NEWEST_OF_RUN: Final = Sql(f"""
select (select coalesce(max(id), 0) from transitions where run_id = :run_id) as transition_number,
    (select coalesce(max(id), 0) from logs where run_id = :run_id) as log_number
from runs where id = :run_id and {_SEEN}
""")
_TIMELINE: Final = Sql(f"""
select transitions.* from transitions join runs on runs.id = transitions.run_id
where transitions.run_id = :run_id and transitions.id > :after and {_SEEN} order by transitions.id
""")


@dataclass(frozen=True, slots=True)
class RunChange:
    """One transition of some run; `number` grows, but numbers become visible out of order."""

    number: int
    run_id: str
    transition: str
    status: Status
    workflow: str


def newest_change(tx: Tx) -> int:
    """The highest number of a transition that is visible now."""
    return int(tx.value(_NEWEST))


def list_changes(scope: Scope, tx: Tx, after: int, limit: int = 1000) -> list[RunChange]:
    """Transitions of the scope's runs with higher numbers, in their order."""
    rows = tx.rows(_CHANGES, {**_seen(scope), "after": after, "limit": limit})
    return [RunChange(row.id, row.run_id, row.transition, Status(row.status), row.workflow) for row in rows]


def get_newest_numbers(scope: Scope, tx: Tx, run_id: str) -> tuple[int, int]:
    """The numbers of a run's newest transition and newest log line. Raises RunNotFound."""
    row = tx.row(_NEWEST_OF_RUN, {**_seen(scope), "run_id": run_id})
    if row is None:
        raise RunNotFound(run_id=run_id)
    return row.transition_number, row.log_number


def list_new_transitions(scope: Scope, tx: Tx, run_id: str, after: int) -> list[tuple[int, TimelineEntry]]:
    """The transitions of one run after a number. They take their numbers under the run's lock: none comes late."""
    rows = tx.rows(_TIMELINE, {**_seen(scope), "run_id": run_id, "after": after})
    return [
        (
            row.id,
            TimelineEntry(
                from_micros(row.at), row.transition, Status(row.status), Reason(row.reason) if row.reason else None,
                row.attempt, row.worker_id, Actor(row.actor_type, row.actor_id, row.actor_name),
            ),
        )
        for row in rows
    ]  # fmt: skip


def get_progress(scope: Scope, tx: Tx, run_id: str) -> Progress | None:
    """How far the run says it is. Raises RunNotFound."""
    row = tx.row(_PROGRESS, {**_seen(scope), "run_id": run_id})
    if row is None:
        raise RunNotFound(run_id=run_id)
    if row.progress_at is None:
        return None
    return Progress(row.progress_fraction, row.progress_message, from_micros(row.progress_at))


def list_step_states(scope: Scope, tx: Tx, run_id: str) -> list[StepState]:
    """The steps of a run in order of start, without what they took and gave."""
    return [
        StepState(
            row.identity, row.name, StepKind(row.kind), StepStatus(row.status), row.attempt,
            from_micros(row.started_at), from_micros(row.finished_at),
        )
        for row in tx.rows(_STEPS, {**_seen(scope), "run_id": run_id})
    ]  # fmt: skip


def _seen(scope: Scope) -> dict[str, object]:
    return {
        "organization_id": scope.organization_id, "everywhere": int(scope.project_ids is None),
        "projects": list(scope.project_ids or ()),
    }  # fmt: skip
