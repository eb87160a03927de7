"""The first schema.

Times are microseconds since 1970 UTC, money and quantities whole billionths, payloads canonical JSON texts. Ids are compared
byte by byte (COLLATE "C"), so that their order is that of their creation.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0001"
down_revision = None

_TYPES: Final = {
    "sqlite": {
        "id": "text",
        "serial": "integer primary key",
        "number": "integer primary key",
        "partitioned": "",
    },
    "postgresql": {
        "id": 'text collate "C"',
        "serial": "bigint generated always as identity primary key",
        "number": "bigint generated always as identity",
        "partitioned": "partition by range (written_at)",
    },
}

_POSTGRESQL_CLOCK: Final = """
create function keystroke_now() returns bigint language sql volatile parallel safe as $$
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint
         + coalesce(nullif(current_setting('keystroke.clock_offset', true), ''), '0')::bigint
$$
"""

_ACCESS: Final = (
    """create table organizations (
        id {id} primary key, slug text not null unique, name text not null, created_at bigint not null
    )""",
    """create table projects (
        id {id} primary key, organization_id {id} not null references organizations, slug text not null, name text not null,
        current_deployment_id {id}, created_at bigint not null, unique (organization_id, slug)
    )""",
    """create table deployments (
        id {id} primary key, project_id {id} not null references projects, digest text not null, git_commit text,
        manifest text not null, published_at bigint not null, activated_at bigint, unique (project_id, digest)
    )""",
    """create table api_keys (
        id {id} primary key, organization_id {id} not null references organizations, project_id {id} references projects,
        name text not null, prefix text not null, hash text not null unique, role text not null,
        created_at bigint not null, expires_at bigint, last_used_at bigint, revoked_at bigint
    )""",
    """create table audit_log (
        id {serial}, at bigint not null, organization_id {id} not null, actor_type text not null, actor_id text not null,
        actor_name text not null, action text not null, target text not null, detail text
    )""",
    "create index audit_log_newest on audit_log (organization_id, id)",
)

# One row per run, narrow: the claim and every transition rewrite it. Payloads are in a table of their own.
_RUNS: Final = (
    """create table runs (
        id {id} primary key, organization_id {id} not null, project_id {id} not null references projects,
        kind text not null, workflow text not null, workflow_name text not null,
        queue text not null, priority integer not null, status text not null, status_reason text,
        attempt integer not null default 0, failures integer not null default 0, recoveries integer not null default 0,
        max_attempts integer not null, retry text, retention_us bigint,
        due_at bigint, parked_on text, concurrency_key text, rate_key text, admitted_at bigint,
        worker_id {id}, deployment_id {id},
        created_at bigint not null, queued_at bigint not null, started_at bigint, finished_at bigint,
        updated_at bigint not null, expires_at bigint, active_us bigint not null default 0,
        cancel_requested_at bigint, cancel_actor text,
        trigger_type text not null, trigger_label text not null, trigger_value text, trigger_id text, fired_at bigint,
        actor_type text not null, actor_id text not null, actor_name text not null,
        parent_run_id {id}, parent_step text, root_run_id {id} not null, replay_of {id}, idempotency_key text,
        seed text not null, trace_id text not null, parent_span_id text, tags text,
        progress_fraction double precision, progress_message text, progress_at bigint,
        error_type text, error_message text, fingerprint text,
        step_count integer not null default 0, cost_nano bigint not null default 0, currency text
    )""",
    "create index runs_of_project on runs (project_id, id)",
    "create index runs_by_status on runs (project_id, status, id)",
    "create index runs_by_workflow on runs (project_id, workflow, id)",
    "create index runs_by_fingerprint on runs (project_id, fingerprint, id) where fingerprint is not null",
    "create index runs_by_parent on runs (parent_run_id) where parent_run_id is not null",
    """create index runs_to_claim on runs (project_id, priority desc, queued_at)
        where status = 'queued' and parked_on is null""",
    """create index runs_parked on runs (project_id, parked_on, priority desc, queued_at)
        where status = 'queued' and parked_on is not null""",
    "create index runs_leased on runs (worker_id) where status = 'running'",
    "create index runs_sleeping on runs (due_at) where status = 'sleeping'",
    "create index runs_expiring on runs (expires_at) where expires_at is not null",
    """create table run_payloads (
        run_id {id} not null references runs on delete cascade, name text not null, body text not null,
        primary key (run_id, name)
    )""",
    """create table run_tags (
        run_id {id} not null references runs on delete cascade, project_id {id} not null,
        key text not null, value text not null, primary key (run_id, key)
    )""",
    "create index run_tags_by_value on run_tags (project_id, key, value, run_id)",
    """create table transitions (
        id {serial}, run_id {id} not null references runs on delete cascade, at bigint not null,
        transition text not null, status text not null, reason text, attempt integer not null, worker_id {id},
        actor_type text not null, actor_id text not null, actor_name text not null
    )""",
    "create index transitions_of_run on transitions (run_id, id)",
    """create table steps (
        run_id {id} not null references runs on delete cascade, identity text not null,
        key text not null, name text not null, kind text not null, status text not null, attempt integer not null,
        digest text not null, input text, output text, error text, tries text, child_run_id {id}, copied_from {id},
        started_at bigint not null, finished_at bigint, due_at bigint, now_at bigint,
        primary key (run_id, identity)
    )""",
    """create table usage_items (
        id {serial}, project_id {id} not null, run_id {id} not null references runs on delete cascade, step text,
        kind text not null, name text not null, quantity_nano bigint not null, unit text not null,
        cost_nano bigint not null, currency text not null
    )""",
    "create index usage_items_of_run on usage_items (run_id)",
    "create index usage_items_by_name on usage_items (project_id, kind, name, run_id)",
    """create table idempotency_keys (
        project_id {id} not null, workflow text not null, key text not null, run_id {id} not null, digest text not null,
        expires_at bigint not null, primary key (project_id, workflow, key)
    )""",
    "create index idempotency_keys_expiring on idempotency_keys (expires_at)",
)

# By day of writing on PostgreSQL, dropped a day at a time; no foreign keys to them or from them.
_TRACES: Final = (
    """create table spans (
        id {number}, run_id {id} not null, span_id text not null, parent_id text, name text not null, kind text not null,
        started_at bigint not null, ended_at bigint, status text not null, attributes text, events text,
        written_at bigint not null
    ) {partitioned}""",
    "create index spans_of_run on spans (run_id, id)",
    """create table logs (
        id {number}, run_id {id} not null, at bigint not null, severity text not null, body text not null,
        logger text not null, span_id text, step text, written_at bigint not null
    ) {partitioned}""",
    "create index logs_of_run on logs (run_id, id)",
)

_FLEET: Final = (
    """create table workers (
        id {id} primary key, project_id {id} not null references projects, host text not null, pid integer not null,
        version text not null, deployment_id {id} not null, queues text not null, concurrency integer not null,
        state text not null, memory_mib integer, started_at bigint not null, heartbeat_at bigint not null
    )""",
    "create index workers_alive on workers (project_id, heartbeat_at) where state in ('alive', 'draining')",
    """create table queues (
        project_id {id} not null references projects, name text not null, paused_at bigint, primary key (project_id, name)
    )""",
)


def upgrade() -> None:
    """Create everything."""
    connection = op.get_bind()
    backend = connection.dialect.name
    if backend == "postgresql":
        connection.exec_driver_sql(_POSTGRESQL_CLOCK)
    for statement in (*_ACCESS, *_RUNS, *_TRACES, *_FLEET):
        connection.exec_driver_sql(statement.format(**_TYPES[backend]))
