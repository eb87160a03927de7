"""Workflows with limits, and what the tests of them ask of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keystroke.domain.manifest import WorkflowManifest
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.starts import GREET, Stage, make_stage

_STATES = Sql("""
select id, status, concurrency_key, concurrency_limit, parked_on, cancel_requested_at from runs order by id
""")
_KEYS = Sql("""
select concurrency_key, max(concurrency_limit) as most,
    sum(case when status = 'running' then 1 else 0 end) as running,
    sum(case when status = 'queued' and parked_on is null then 1 else 0 end) as coming,
    sum(case when parked_on is not null then 1 else 0 end) as parked
from runs where project_id = :project_id and concurrency_key is not null and status in ('queued', 'running')
group by concurrency_key
""")


def limited(
    slug: str, limit: int, policy: str = "queue", key: str | None = "{input.name}", **changes: Any
) -> WorkflowManifest:
    """A workflow of which so many runs with the same key go on at once."""
    concurrency = {"limit": limit, "key": key, "policy": policy}
    return replace(GREET, slug=slug, concurrency=concurrency, **changes)


def paced(slug: str, limit: int, per: float, key: str | None = None, **changes: Any) -> WorkflowManifest:
    """A workflow of which so many runs begin in so many seconds."""
    return replace(GREET, slug=slug, rate_limit={"limit": limit, "per": per, "key": key}, **changes)


def stage_of(database: Database, settings: Settings, *workflows: WorkflowManifest) -> Stage:
    """A stage with these workflows, and `greet`."""
    return make_stage(database, settings, GREET, *workflows)


def later(stage: Stage, seconds: float) -> Stage:
    """The same database, by a clock that is so much ahead."""
    settings = replace(stage.settings, clock_offset=stage.settings.clock_offset + seconds)
    return replace(stage, settings=settings, database=Database.from_settings(settings))


def states(stage: Stage) -> Sequence[Any]:
    """Every run: where it is, and what it is parked on."""
    with stage.database.read() as tx:
        return tx.rows(_STATES)


def parked_on(stage: Stage, run_id: str) -> str | None:
    """What a run is parked on."""
    found: str | None = next(row.parked_on for row in states(stage) if row.id == run_id)
    return found


def broken_keys(stage: Stage) -> list[str]:
    """Keys that break a promise: more runs than the limit, or a place that nobody is on his way to while runs are parked."""
    with stage.database.read() as tx:
        rows = tx.rows(_KEYS, {"project_id": stage.project.id})
    return [
        row.concurrency_key
        for row in rows
        if row.running > row.most or (row.parked and row.running + row.coming < row.most)
    ]
