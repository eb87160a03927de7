"""Who is there already when a run of a limited key is admitted: asked by starts alone, under the lock of the key's admission."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keystroke.store import limits
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_ADMISSION: Final = "admission:"
_ACTIVE: Final = f"status {limits.ACTIVE}"
_HOLD: Final = Sql(f"""
select id from runs where project_id = :project_id and concurrency_key {{in:keys}} and {_ACTIVE}
order by created_at, id {{for_update}}
""")
_OTHERS: Final = Sql(f"""
select id, cancel_requested_at from runs
where project_id = :project_id and concurrency_key = :key and {_ACTIVE} and id <> :run_id
order by created_at, id
""")


def lock_keys(tx: Tx, project_id: str, keys: Iterable[str]) -> None:
    """Be the only one who admits runs of these keys until the transaction ends; before it takes any row."""
    for key in sorted(set(keys)):
        limits.lock(tx, project_id, _ADMISSION + key)


def hold_active(tx: Tx, project_id: str, keys: Iterable[str]) -> None:
    """Lock the active runs of these keys, since some will be replaced: before their places are freed under the key's lock."""
    wanted = sorted(set(keys))
    if wanted:
        tx.rows(_HOLD, {"project_id": project_id, "keys": wanted})


def others(tx: Tx, project_id: str, key: str, run_id: str) -> list[tuple[str, bool]]:
    """The other active runs of the key, the oldest first; True beside those that somebody asked to cancel already."""
    rows = tx.rows(_OTHERS, {"project_id": project_id, "key": key, "run_id": run_id})
    return [(row.id, row.cancel_requested_at is not None) for row in rows]
