"""Triggers: sources and attachments as published, what operators set on them, deliveries, ticks, secrets, notifications.

`sources` has a row for each source that was ever published: a redeploy replaces its definition and leaves what operators and
the clock have written. A delivery or a tick keeps the ids of the runs that it started, which may be deleted before it.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"

_TYPES: Final = {
    "sqlite": {"id": "text", "bytes": "blob"},
    "postgresql": {"id": 'text collate "C"', "bytes": "bytea"},
}

_SOURCES: Final = (
    """create table sources (
        id {id} primary key, project_id {id} not null references projects, slug text not null, kind text not null,
        endpoint text, group_name text, definition text not null, deployment_id {id} not null,
        created_at bigint not null, updated_at bigint not null, retired_at bigint,
        disabled_at bigint, paused_until bigint, pause_reason text, armed_at bigint not null,
        next_at bigint, due_at bigint, last_at bigint, started_at bigint, passed integer not null default 0,
        pause_after integer, failures integer not null default 0,
        refused integer not null default 0, refused_at bigint, succeeded_at bigint, notified_at bigint,
        unique (project_id, slug)
    )""",
    "create index sources_of_endpoint on sources (project_id, endpoint) where endpoint is not null",
    """create index sources_due on sources (due_at)
        where due_at is not null and retired_at is null and disabled_at is null""",
    """create index sources_pausing on sources (id)
        where pause_after is not null and retired_at is null and disabled_at is null""",
    """create table attachments (
        source_id {id} not null references sources on delete cascade, workflow text not null, definition text not null,
        position integer not null, retired_at bigint, disabled_at bigint, primary key (source_id, workflow)
    )""",
    """create table poll_states (
        source_id {id} primary key references sources on delete cascade, body text not null, updated_at bigint not null,
        updated_by text not null
    )""",
    """create table seen_items (
        source_id {id} not null references sources on delete cascade, key text not null, expires_at bigint not null,
        primary key (source_id, key)
    )""",
    "create index seen_items_expiring on seen_items (expires_at)",
)

_DELIVERIES: Final = (
    """create table deliveries (
        id {id} primary key, project_id {id} not null references projects, endpoint text not null, source_id {id},
        sources text not null, received_at bigint not null, method text not null, content_type text, remote_addr text,
        headers text not null, query text not null, size integer not null, outcome text not null,
        status integer not null, error text, run_ids text not null, dedupe_key text, duplicate_of {id}, replay_of {id}
    )""",
    "create index deliveries_of_project on deliveries (project_id, id)",
    "create index deliveries_of_endpoint on deliveries (project_id, endpoint, id)",
    "create index deliveries_by_outcome on deliveries (project_id, outcome, id)",
    "create index deliveries_of_source on deliveries (source_id, id) where source_id is not null",
    # Whoever is not known may post as often as he likes: to find the newest of them costs the same, whatever else there is.
    "create index deliveries_refused on deliveries (source_id, id) where status = 401",
    """create table delivery_bodies (
        delivery_id {id} primary key references deliveries on delete cascade, body {bytes} not null
    )""",
    """create table delivery_keys (
        project_id {id} not null, endpoint text not null, key text not null, delivery_id {id} not null,
        expires_at bigint not null, primary key (project_id, endpoint, key)
    )""",
    "create index delivery_keys_expiring on delivery_keys (expires_at)",
)

# A tick of a schedule is ended from its insert on; one of a poll is executed by a worker, under a lease like a run's.
_TICKS: Final = (
    """create table ticks (
        id {id} primary key, project_id {id} not null, source_id {id} not null references sources on delete cascade,
        kind text not null, origin text not null default '', scheduled_at bigint not null, previous_at bigint,
        missed integer not null default 0, dry_run integer not null default 0, created_at bigint not null,
        fired_at bigint, status text not null, outcome text, queue text not null default 'default', due_at bigint,
        attempt integer not null default 0, failures integer not null default 0, recoveries integer not null default 0,
        worker_id {id}, deployment_id {id}, timeout_us bigint, active_us bigint not null default 0,
        cancel_requested_at bigint, started_at bigint, finished_at bigint, run_ids text not null default '[]',
        found text, error text, trace_id text, actor_type text, actor_id text, actor_name text
    )""",
    # Of the clock `origin` is empty; a backfill or somebody who fires by hand has his own.
    "create unique index ticks_once on ticks (source_id, scheduled_at, origin)",
    "create unique index ticks_unfinished on ticks (source_id) where status <> 'ended'",
    "create index ticks_of_source on ticks (source_id, id)",
    "create index ticks_to_claim on ticks (project_id, queue, due_at) where status = 'queued'",
    "create index ticks_leased on ticks (worker_id) where status = 'running'",
    "create index ticks_finished on ticks (finished_at) where finished_at is not null",
    """create table backfills (
        id {id} primary key, project_id {id} not null, source_id {id} not null references sources on delete cascade,
        range_from bigint not null, range_to bigint not null, reprocess integer not null default 0,
        status text not null, total integer not null, fired integer not null default 0, skipped integer not null default 0,
        failed integer not null default 0, cursor_at bigint, error text,
        created_at bigint not null, updated_at bigint not null, finished_at bigint,
        actor_type text not null, actor_id text not null, actor_name text not null
    )""",
    "create index backfills_of_source on backfills (source_id, id)",
    "create index backfills_running on backfills (id) where status = 'running'",
)

_SECRETS: Final = (
    """create table secrets (
        project_id {id} not null references projects, name text not null, value text not null,
        previous text, previous_until bigint, created_at bigint not null, updated_at bigint not null,
        actor_name text not null, primary key (project_id, name)
    )""",
    """create table notifications (
        id {id} primary key, project_id {id} not null, kind text not null, once text not null unique, source_id {id},
        run_id {id}, body text not null, status text not null, attempts integer not null default 0,
        created_at bigint not null, due_at bigint, sent_at bigint, last_status integer, last_error text
    )""",
    "create index notifications_due on notifications (due_at) where status = 'pending'",
    "create index notifications_of_project on notifications (project_id, id)",
    "create index notifications_ended on notifications (created_at) where status <> 'pending'",
)

_RUNS: Final = (
    # A claim reads the parts of its own queues alone.
    "drop index runs_to_claim",
    """create index runs_to_claim on runs (project_id, queue, priority desc, queued_at)
        where status = 'queued' and parked_on is null""",
    # The id of the attachment whose transform makes the input. The first attempt does, and admits the run with that: what comes
    # after `admitted_after` attempts is what begins under the run's limits.
    "alter table runs add column behind_transform text",
    "alter table runs add column admitted_after integer not null default 0",
    "alter table runs add column scheduled_at bigint",
    "alter table runs add column previous_fire_at bigint",
    "alter table runs add column missed integer",
    """create index runs_by_trigger on runs (project_id, trigger_value, id)
        where trigger_type in ('webhook', 'schedule', 'poll')""",
    """create index runs_succeeded_of_trigger on runs (project_id, trigger_value, finished_at)
        where trigger_type = 'schedule' and status = 'success'""",
    """create index runs_active_of_trigger on runs (project_id, trigger_value)
        where trigger_type = 'schedule' and status in ('queued', 'running', 'sleeping', 'waiting_on_hook')""",
)


def upgrade() -> None:
    """Add to what is there."""
    connection = op.get_bind()
    types = _TYPES[connection.dialect.name]
    for statement in (*_SOURCES, *_DELIVERIES, *_TICKS, *_SECRETS, *_RUNS):
        connection.exec_driver_sql(statement.format(**types))
