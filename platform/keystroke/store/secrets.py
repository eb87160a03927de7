"""Secrets of a project by name, encrypted: the current value and, for a while after it was replaced, the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros
from keystroke.domain.scope import Scope
from keystroke.store.access import Project
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_COLUMNS: Final = """name, created_at, updated_at, actor_name,
    case when previous_until > {now} then previous_until end as previous_until"""
_ALL: Final = Sql(f"select {_COLUMNS} from secrets where project_id = :project_id order by name")
_ONE: Final = Sql(f"select {_COLUMNS} from secrets where project_id = :project_id and name = :name")
_LIVE: Final = Sql("""
select value, case when previous_until > {now} then previous end as previous from secrets
where project_id = :project_id and name = :name
""")
_LOCKED: Final = Sql("select value from secrets where project_id = :project_id and name = :name {for_update}")
_PUT: Final = Sql("""
insert into secrets (project_id, name, value, created_at, updated_at, actor_name)
select :project_id, :name, :value, clock.now, clock.now, :actor_name from (select {now} as now) clock where true
on conflict (project_id, name) do update set
    previous = case when :grace_us > 0 then secrets.value end,
    previous_until = case when :grace_us > 0 then {now} + :grace_us end,
    value = excluded.value, updated_at = {now}, actor_name = excluded.actor_name
""")
_END_PREVIOUS: Final = Sql("""
update secrets set previous = null, previous_until = null where project_id = :project_id and name = :name
""")
_FORGET_PREVIOUS: Final = Sql(
    "update secrets set previous = null, previous_until = null where previous_until <= {now}"
)
_DELETE: Final = Sql("delete from secrets where project_id = :project_id and name = :name")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as it is listed: never its value. `previous_until`: so long the value before this one is good, too."""

    name: str
    created_at: datetime
    updated_at: datetime
    previous_until: datetime | None
    set_by: str


def list_secrets(scope: Scope, tx: Tx, project: Project) -> list[Secret]:
    """The secrets of a project, which the scope has found, by name."""
    return [_secret(row) for row in tx.rows(_ALL, {"project_id": project.id})]


def live_tokens(tx: Tx, project_id: str, name: str) -> list[str]:
    """What is encrypted under a name, the current one first; empty where there is no such secret."""
    row = tx.row(_LIVE, {"project_id": project_id, "name": name})
    return [] if row is None else [each for each in (row.value, row.previous) if each is not None]


def lock_token(tx: Tx, project_id: str, name: str) -> str | None:
    """The current one alone, its row locked."""
    found = tx.value(_LOCKED, {"project_id": project_id, "name": name})
    return None if found is None else str(found)


def put_secret(tx: Tx, project_id: str, name: str, token: str, grace_us: int, actor_name: str) -> None:
    """Keep a new value; the one before it stays good for so long (microseconds, 0: it ends at once)."""
    row = {"project_id": project_id, "name": name, "value": token, "grace_us": grace_us}
    tx.run(_PUT, {**row, "actor_name": actor_name})


def end_previous(tx: Tx, project_id: str, name: str) -> None:
    """Let the value before the current one be good no longer."""
    tx.run(_END_PREVIOUS, {"project_id": project_id, "name": name})


def forget_previous(tx: Tx) -> int:
    """Erase the values of all projects that are good no longer; how many."""
    return tx.run(_FORGET_PREVIOUS)


def secret_of(tx: Tx, project_id: str, name: str) -> Secret:
    """A secret that is there."""
    return _secret(tx.rows(_ONE, {"project_id": project_id, "name": name})[0])


def delete_secret(tx: Tx, project_id: str, name: str) -> bool:
    """Delete a secret with the value before it; False where there was none."""
    return tx.run(_DELETE, {"project_id": project_id, "name": name}) == 1


def _secret(row: Row[Any]) -> Secret:
    return Secret(
        row.name, from_micros(row.created_at), from_micros(row.updated_at), from_micros(row.previous_until),
        row.actor_name,
    )  # fmt: skip
