"""The request to cancel a running run: it stands in the run's row, until its attempt or recovery has seen it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from keystroke.domain.actor import SYSTEM, Actor
from keystroke.domain.states import Reason
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_REQUEST: Final = Sql("""
update runs set cancel_requested_at = coalesce(cancel_requested_at, {now}), cancel_actor = coalesce(cancel_actor, :actor),
    cancel_reason = coalesce(cancel_reason, :reason), updated_at = {now}
where id = :run_id and status = 'running' returning project_id, worker_id, attempt
""")
_CANCELING: Final = Sql("select cancel_actor, cancel_reason from runs where id = :run_id")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a cancel has to reach."""

    project_id: str
    worker_id: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Canceling:
    """Who asked for a cancel, and the reason with which the run then ends."""

    actor: Actor
    reason: Reason


def request_cancel(
    tx: Tx, run_id: str, actor: Actor, reason: Reason = Reason.CANCELED_BY_USER
) -> Asked | None:
    """Ask a running run to end for that reason; None when it is not running. The first who asks stays on record."""
    row = tx.row(_REQUEST, {"run_id": run_id, "actor": json.dumps(asdict(actor)), "reason": reason})
    return None if row is None else Asked(row.project_id, row.worker_id, row.attempt)


def canceling_of(tx: Tx, run_id: str) -> Canceling:
    """Who asked for the cancel of a run, and why; the system, on behalf of users, where nobody has."""
    row = tx.row(_CANCELING, {"run_id": run_id})
    if row is None or row.cancel_actor is None:
        return Canceling(SYSTEM, Reason.CANCELED_BY_USER)
    reason = Reason.CANCELED_BY_USER if row.cancel_reason is None else Reason(row.cancel_reason)
    return Canceling(Actor(**json.loads(row.cancel_actor)), reason)
