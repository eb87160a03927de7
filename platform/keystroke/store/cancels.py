"""The request to cancel a running run: it stands in the run's row, until its attempt or recovery has seen it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from keystroke.domain.actor import SYSTEM, Actor
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_REQUEST: Final = Sql("""
update runs set cancel_requested_at = coalesce(cancel_requested_at, {now}), cancel_actor = coalesce(cancel_actor, :actor),
    updated_at = {now}
where id = :run_id and status = 'running' returning project_id, worker_id, attempt
""")
_ACTOR: Final = Sql("select cancel_actor from runs where id = :run_id")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a cancel has to reach."""

    project_id: str
    worker_id: str | None
    attempt: int


def request_cancel(tx: Tx, run_id: str, actor: Actor) -> Asked | None:
    """Ask a running run to end; None when it is not running. The first who asks stays on record."""
    row = tx.row(_REQUEST, {"run_id": run_id, "actor": json.dumps(asdict(actor))})
    return None if row is None else Asked(row.project_id, row.worker_id, row.attempt)


def canceling_actor(tx: Tx, run_id: str) -> Actor:
    """Who asked for the cancel."""
    text = tx.value(_ACTOR, {"run_id": run_id})
    return SYSTEM if text is None else Actor(**json.loads(text))
