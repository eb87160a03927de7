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
from keystroke.domain.trace import LogLine
from keystroke.errors import RunNotFound
from keystroke.store.database import Tx
from keystroke.store.sql import Sql
from keystroke.store.traces import line_of

_SEEN: Final = """runs.organization_id = :organization_id
    and (cast(:everywhere as integer) = 1 or runs.project_id {in:projects})"""
_NEWEST: Final = Sql("select coalesce(max(id), 0) as newest from transitions")
_CHANGES: Final = Sql(f"""
select transitions.id, transitions.run_id, transitions.transition, transitions.status, runs.workflow
from transitions join runs on runs.id = transitions.run_id
where transitions.id > :after and {_SEEN} order by transitions.id limit :limit
""")
_LATEST: Final = Sql(f"""
select events, status, progress_event, progress_fraction, progress_message, progress_at from runs
where id = :run_id and {_SEEN}
""")
_BETWEEN: Final = "event > :after and event <= :until"
_TRANSITIONS: Final = Sql(f"""
select event, at, transition, status, reason, attempt, worker_id, actor_type, actor_id, actor_name from transitions
where run_id = :run_id and {_BETWEEN} and exists (select 1 from runs where id = :run_id and {_SEEN}) order by event
""")
_STEPS: Final = Sql(f"""
select event, identity, name, kind, status, attempt, started_at, finished_at from steps
where run_id = :run_id and {_BETWEEN} and exists (select 1 from runs where id = :run_id and {_SEEN}) order by event
""")
# A run's log lines are inserted under its row's lock like they are numbered, so that both numbers grow together.
_LOGS: Final = Sql(f"""
select event, id, at, severity, body, logger, span_id, step from logs
where run_id = :run_id and id > :after_line and {_BETWEEN} and exists (select 1 from runs where id = :run_id and {_SEEN})
order by id limit :limit
""")


@dataclass(frozen=True, slots=True)
class RunChange:
    """One transition of some run; `number` grows, but numbers become visible out of order."""

    number: int
    run_id: str
    transition: str
    status: Status
    workflow: str


@dataclass(frozen=True, slots=True)
class Latest:
    """How far a run's events are: the newest one's number, and the states that are in the run's row.

    Events take their numbers under the row's lock: all up to `event` are visible, and none of them is still to come.
    """

    event: int
    status: Status
    progress_event: int | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Between:
    """Events after one number, up to and including another."""

    after: int
    until: int


def newest_change(tx: Tx) -> int:
    """The highest number of a transition that is visible now."""
    return int(tx.value(_NEWEST))


def list_changes(scope: Scope, tx: Tx, after: int, limit: int = 1000) -> list[RunChange]:
    """Transitions of the scope's runs with higher numbers, in their order."""
    rows = tx.rows(_CHANGES, {**_seen(scope), "after": after, "limit": limit})
    return [RunChange(row.id, row.run_id, row.transition, Status(row.status), row.workflow) for row in rows]


def get_latest(scope: Scope, tx: Tx, run_id: str) -> Latest:
    """How far a run's events are. Raises RunNotFound."""
    row = tx.row(_LATEST, {**_seen(scope), "run_id": run_id})
    if row is None:
        raise RunNotFound(run_id=run_id)
    progress = (
        None
        if row.progress_event is None
        else Progress(row.progress_fraction, row.progress_message, from_micros(row.progress_at))
    )
    return Latest(row.events, Status(row.status), row.progress_event, progress)


def list_transitions(scope: Scope, tx: Tx, run_id: str, between: Between) -> list[tuple[int, TimelineEntry]]:
    """Transitions of one run, each with the number of its event."""
    return [
        (
            row.event,
            TimelineEntry(
                from_micros(row.at), row.transition, Status(row.status), Reason(row.reason) if row.reason else None,
                row.attempt, row.worker_id, Actor(row.actor_type, row.actor_id, row.actor_name),
            ),
        )
        for row in tx.rows(_TRANSITIONS, _numbers(scope, run_id, between))
    ]  # fmt: skip


def list_step_states(scope: Scope, tx: Tx, run_id: str, between: Between) -> list[tuple[int, StepState]]:
    """Steps of one run, without what they took and gave, each with the number of its latest change."""
    return [
        (
            row.event,
            StepState(
                row.identity, row.name, StepKind(row.kind), StepStatus(row.status), row.attempt,
                from_micros(row.started_at), from_micros(row.finished_at),
            ),
        )
        for row in tx.rows(_STEPS, _numbers(scope, run_id, between))
    ]  # fmt: skip


def list_lines(
    scope: Scope, tx: Tx, run_id: str, between: Between, *, after_line: int, limit: int
) -> list[tuple[int, int, LogLine]]:
    """Log lines of one run, each with the number of its event and its own; `after_line` spares looking at earlier ones."""
    rows = tx.rows(_LOGS, {**_numbers(scope, run_id, between), "after_line": after_line, "limit": limit})
    return [(row.event, row.id, line_of(row)) for row in rows]


def _numbers(scope: Scope, run_id: str, between: Between) -> dict[str, object]:
    return {**_seen(scope), "run_id": run_id, "after": between.after, "until": between.until}


def _seen(scope: Scope) -> dict[str, object]:
    return {
        "organization_id": scope.organization_id, "everywhere": int(scope.project_ids is None),
        "projects": list(scope.project_ids or ()),
    }  # fmt: skip
