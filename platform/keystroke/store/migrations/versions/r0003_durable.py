"""Waits, limits and lineage: hooks, children that are waited for, rate limits, and what a run's definition bounds.

A run that rests is woken by its `due_at`, by an answer to a hook that it awaits, or when the last row of one of its groups in
`child_waits` goes.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"

_ID: Final = {"sqlite": "text", "postgresql": 'text collate "C"'}

_COLUMNS: Final = (
    "timeout_us bigint",
    "budget_nano bigint",
    "on_failure text",
    "detached integer not null default 0",
    "concurrency_limit integer",
    "concurrency_policy text",
    "rate_limit integer",
    "rate_per_us bigint",
    "cancel_reason text",
    "cascading integer not null default 0",
)
# The attempt in which a step began; of a step copied from another run 0 or less, so that the order of the copies stays.
_BEGAN: Final = "alter table steps add column began_in integer not null default 1"
# Each claim, and each run that is parked, leaves a dead entry at the front of the index of claims, which the next claims walk
# over until it is vacuumed: not after a fifth of the table, which has the runs of months, but after some thousands.
_VACUUM: Final = """alter table runs set (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0)"""
_STATEMENTS: Final = (
    # Whoever rests may have a time, whatever else it waits for.
    "drop index runs_sleeping",
    """create index runs_resting on runs (due_at)
        where status in ('sleeping', 'waiting_on_hook') and due_at is not null""",
    """create index runs_of_key on runs (project_id, concurrency_key, status, parked_on)
        where concurrency_key is not null and status in ('queued', 'running', 'sleeping', 'waiting_on_hook')""",
    """create index runs_of_rate on runs (project_id, rate_key, parked_on)
        where rate_key is not null and status = 'queued'""",
    "create index runs_replaying on runs (replay_of) where replay_of is not null",
    """create index runs_active_children on runs (parent_run_id)
        where parent_run_id is not null and status in ('queued', 'running', 'sleeping', 'waiting_on_hook')""",
    "create index runs_cascading on runs (id) where cascading = 1 and status = 'canceled'",
    """create unique index runs_of_step on runs (parent_run_id, parent_step)
        where parent_run_id is not null and parent_step is not null""",
    """create table hooks (
        id {id} primary key, project_id {id} not null, run_id {id} not null references runs on delete cascade,
        step text not null, name text not null, token_hash text not null unique, key_id text not null,
        schema text not null, one_click integer not null default 0,
        status text not null, awaited integer not null default 0,
        created_at bigint not null, expires_at bigint, answered_at bigint, answer text,
        actor_type text, actor_id text, actor_name text, answered_from text,
        unique (run_id, step)
    )""",
    "create index hooks_waiting on hooks (project_id, id) where status = 'waiting'",
    """create table child_waits (
        run_id {id} not null references runs on delete cascade, step text not null, child_run_id {id} not null,
        primary key (run_id, step, child_run_id)
    )""",
    "create index child_waits_of_child on child_waits (child_run_id)",
    """create table rate_limits (
        project_id {id} not null, key text not null, arrival_at bigint not null, interval_us bigint not null,
        tolerance_us bigint not null, due_at bigint, primary key (project_id, key)
    )""",
    "create index rate_limits_due on rate_limits (due_at) where due_at is not null",
)


def upgrade() -> None:
    """Add to what is there."""
    connection = op.get_bind()
    for column in _COLUMNS:
        connection.exec_driver_sql(f"alter table runs add column {column}")
    connection.exec_driver_sql(_BEGAN)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_VACUUM)
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement.format(id=_ID[connection.dialect.name]))
