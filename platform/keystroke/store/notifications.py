"""Notifications: an outbox. Written in the transaction of what they tell, sent by whoever has leased them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke import ids
from keystroke.clock import from_micros
from keystroke.domain.notification import Notification, NotificationKind
from keystroke.domain.scope import Scope
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_COLUMNS: Final = """notifications.id, notifications.kind, notifications.source_id, notifications.run_id,
    notifications.body, notifications.status, notifications.attempts, notifications.created_at, notifications.due_at,
    notifications.sent_at, notifications.last_status, notifications.last_error"""
_INSERT: Final = Sql("""
insert into notifications (id, project_id, kind, once, source_id, run_id, body, status, created_at, due_at)
values (:id, :project_id, :kind, :once, :source_id, :run_id, :body, 'pending', {now}, {now})
on conflict (once) do nothing
""")
# The lease is the time at which somebody else may try: whoever sends it is done before, or too late to say anything.
_LEASE: Final = Sql(f"""
update notifications set due_at = {{now}} + :lease_us, attempts = attempts + 1
where id in (
    select id from notifications where status = 'pending' and due_at <= {{now}} order by due_at limit :limit
    {{for_update}} {{skip_locked}}
)
returning {_COLUMNS}, {{now}} as now, (select slug from projects where projects.id = project_id) as project
""")
_ANY_DUE: Final = Sql("select 1 from notifications where status = 'pending' and due_at <= {now} limit 1")
_OWN: Final = "id = :id and status = 'pending' and attempts = :attempts"
_SENT: Final = Sql(f"""
update notifications set status = 'sent', sent_at = {{now}}, due_at = null, last_status = :last_status, last_error = null
where {_OWN}
""")
_FAILED: Final = Sql(f"""
update notifications set status = case when cast(:pause_us as bigint) is null then 'failed' else 'pending' end,
    due_at = {{now}} + cast(:pause_us as bigint), last_status = :last_status, last_error = :last_error
where {_OWN}
""")
_LIST: Final = f"""
select {_COLUMNS}, projects.slug as project from notifications join projects on projects.id = notifications.project_id
where projects.organization_id = :organization_id
"""
_FILTERS: Final = {"kind": "notifications.kind", "status": "notifications.status", "project": "projects.slug"}
_FORGET: Final = Sql("delete from notifications where status <> 'pending' and created_at < {now} - :age_us")


@dataclass(frozen=True, slots=True)
class Leased:
    """A notification to send now; `now` is the database's clock, in seconds."""

    notification: Notification
    now: datetime


def insert_notification(
    tx: Tx,
    project_id: str,
    kind: NotificationKind,
    once: str,
    data: dict[str, Any],
    *,
    source_id: str | None = None,
    run_id: str | None = None,
) -> bool:
    """Put it into the outbox; False where one with the same `once` was put there before."""
    row = {
        "id": ids.new("ntf"),
        "project_id": project_id,
        "kind": kind,
        "once": once,
        "body": json.dumps(data),
    }
    return tx.run(_INSERT, {**row, "source_id": source_id, "run_id": run_id}) == 1


def any_due(tx: Tx) -> bool:
    """Whether one is to be sent now."""
    return tx.row(_ANY_DUE) is not None


def lease_due(tx: Tx, limit: int, lease_us: int) -> list[Leased]:
    """Take some that are due, the longest first; nobody else has them until the lease (microseconds) is over."""
    rows = tx.rows(_LEASE, {"limit": limit, "lease_us": lease_us})
    return [Leased(_notification(row), from_micros(row.now)) for row in rows]


def record_sent(tx: Tx, taken: Notification, status: int) -> bool:
    """It was accepted with this HTTP status; False where the lease was over and somebody else has it."""
    row = {"id": taken.id, "attempts": taken.attempts, "last_status": status}
    return tx.run(_SENT, row) == 1


def record_failure(tx: Tx, taken: Notification, status: int | None, error: str, pause_us: int | None) -> bool:
    """It was not accepted; the next try comes after the pause (microseconds), None: it is given up."""
    row = {"id": taken.id, "attempts": taken.attempts, "last_status": status, "last_error": error}
    return tx.run(_FAILED, {**row, "pause_us": pause_us}) == 1


def list_notifications(
    scope: Scope, tx: Tx, filters: dict[str, list[str]], before: str | None, limit: int
) -> list[Notification]:
    """Those of the scope's projects, newest first; `filters` are values of `kind`, `status` and `project` (slugs)."""
    where = [f"{_FILTERS[name]} {{in:{name}}}" for name in filters]
    if scope.project_ids is not None:
        where.append("notifications.project_id {in:project_ids}")
    if before is not None:
        where.append("notifications.id < :before")
    text = " and ".join((_LIST, *where)) + " order by notifications.id desc limit :limit"
    bound = {"organization_id": scope.organization_id, "before": before, "limit": limit, **filters}
    rows = tx.rows(Sql(text), {**bound, "project_ids": list(scope.project_ids or ())})
    return [_notification(row) for row in rows]


def forget_old(tx: Tx, age_us: int) -> int:
    """Delete those that are over and older than this (microseconds); how many."""
    return tx.run(_FORGET, {"age_us": age_us})


def _notification(row: Row[Any]) -> Notification:
    return Notification(
        row.id, row.project, row.kind, row.source_id, row.run_id, json.loads(row.body), row.status, row.attempts,
        from_micros(row.created_at), from_micros(row.due_at), from_micros(row.sent_at), row.last_status, row.last_error,
    )  # fmt: skip
