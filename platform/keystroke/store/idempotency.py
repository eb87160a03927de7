"""Idempotency keys: window and uniqueness in one statement. A second request beside the first waits for its commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_TAKE: Final = Sql("""
insert into idempotency_keys (project_id, workflow, key, run_id, digest, expires_at)
values (:project_id, :workflow, :key, :run_id, :digest, {now} + :ttl_us)
on conflict (project_id, workflow, key) do update
    set run_id = excluded.run_id, digest = excluded.digest, expires_at = excluded.expires_at
    where idempotency_keys.expires_at <= {now}
returning run_id
""")
_TAKEN: Final = Sql("""
select run_id, digest from idempotency_keys where project_id = :project_id and workflow = :workflow and key = :key
""")
_DELETE_EXPIRED: Final = Sql("delete from idempotency_keys where expires_at <= {now}")


@dataclass(frozen=True, slots=True)
class EarlierStart:
    """The start that holds a key: its run, and the digest of what it asked for."""

    run_id: str
    digest: str


def take_key(
    tx: Tx, *, project_id: str, workflow: str, key: str, run_id: str, digest: str, ttl_us: int
) -> EarlierStart | None:
    """Take the key for a new run; None when it is ours now, else the start that holds it."""
    parameters = {
        "project_id": project_id, "workflow": workflow, "key": key, "run_id": run_id, "digest": digest, "ttl_us": ttl_us,
    }  # fmt: skip
    if tx.row(_TAKE, parameters) is not None:
        return None
    row = tx.row(_TAKEN, parameters)
    if row is None:
        raise AssertionError("a key that is neither free nor taken")
    return EarlierStart(row.run_id, row.digest)


def delete_expired(tx: Tx) -> int:
    """Free the keys whose window is over; how many there were."""
    return tx.run(_DELETE_EXPIRED)
