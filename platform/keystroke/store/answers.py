"""Answers to hooks: found by their token's hash or by their id, locked behind their run's row, written once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from keystroke.domain.actor import Actor
from keystroke.domain.asking import Asking, AskingStatus
from keystroke.domain.scope import Scope
from keystroke.domain.states import ACTIVE, Status
from keystroke.errors import HookNotFound
from keystroke.store.access import list_projects
from keystroke.store.database import Tx
from keystroke.store.hooks import COLUMNS, hook_of
from keystroke.store.sql import Sql

#: A list that takes longer is refused, as the list of runs is.
LONGEST_QUERY: Final = 2.0
_OVER: Final = "(hooks.expires_at is not null and hooks.expires_at <= {now})"
_ASKING: Final = f"""
select {COLUMNS}, runs.organization_id, runs.workflow, runs.workflow_name, runs.status as run_status,
    projects.slug as project, {_OVER} as over
from hooks join runs on runs.id = hooks.run_id join projects on projects.id = hooks.project_id
"""
_BY_TOKEN: Final = Sql(f"{_ASKING} where hooks.token_hash = :token_hash")
_BY_ID: Final = Sql(f"{_ASKING} where hooks.id = :hook_id and hooks.project_id {{in:projects}}")
_AGAIN: Final = Sql(f"{_ASKING} where hooks.id = :hook_id")
_LOCK_RUN: Final = Sql("select id from runs where id = :run_id {for_update}")
_LOCK: Final = Sql("select id from hooks where id = :hook_id {for_update}")
# The guard repeats what was looked at under the lock: nothing but this statement makes a hook an answered one.
_ANSWER: Final = Sql(f"""
update hooks set status = 'answered', answered_at = {{now}}, answer = :answer, actor_type = :actor_type,
    actor_id = :actor_id, actor_name = :actor_name, answered_from = :answered_from
where id = :hook_id and status = 'waiting' and not {_OVER}
""")
_RUN_IS_ACTIVE: Final = f"runs.status in ({', '.join(repr(status.value) for status in sorted(ACTIVE))})"
_CONDITIONS: Final[Mapping[AskingStatus | None, str]] = {
    None: "1 = 1",
    AskingStatus.WAITING: f"hooks.status = 'waiting' and not {_OVER} and {_RUN_IS_ACTIVE}",
    AskingStatus.ANSWERED: "hooks.status = 'answered'",
    AskingStatus.EXPIRED: f"(hooks.status = 'expired' or hooks.status = 'waiting' and {_OVER})",
    AskingStatus.ENDED: f"hooks.status = 'waiting' and not {_OVER} and not {_RUN_IS_ACTIVE}",
}
_LISTS: Final = {
    (status, of_run): Sql(f"""{_ASKING} where hooks.project_id {{in:projects}} and {condition}
        {"and hooks.run_id = :run_id" if of_run else ""} and (cast(:before as text) is null or hooks.id < :before)
        order by hooks.id desc limit :limit""")
    for status, condition in _CONDITIONS.items()
    for of_run in (False, True)
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is kept: its canonical text with secrets sealed, who gave it, and from which address."""

    text: str
    actor: Actor
    origin: str | None


def hook_by_token(tx: Tx, token_hash: str) -> Asking | None:
    """The hook whose token has this SHA-256: whoever knows the token may answer it, whatever else he may see."""
    row = tx.row(_BY_TOKEN, {"token_hash": token_hash})
    return None if row is None else _asking(row)


def get_hook(scope: Scope, tx: Tx, hook_id: str) -> Asking:
    """The hook of that id, as far as it exists for the scope. Raises HookNotFound."""
    row = tx.row(_BY_ID, {"hook_id": hook_id, "projects": _project_ids(scope, tx)})
    if row is None:
        raise HookNotFound(hook=hook_id)
    return _asking(row)


def list_hooks(
    scope: Scope, tx: Tx, *, status: AskingStatus | None, run_id: str | None = None, before: str | None = None, limit: int
) -> list[Asking]:  # fmt: skip
    """The newest hooks of a status (None: of all), perhaps of one run, with ids below `before`. Raises QueryTooSlow."""
    wanted = {"projects": _project_ids(scope, tx), "run_id": run_id, "before": before, "limit": limit}
    if run_id is None:
        del wanted["run_id"]
    with tx.limited(LONGEST_QUERY):
        return [_asking(row) for row in tx.rows(_LISTS[status, run_id is not None], wanted)]


def lock_hook(tx: Tx, asking: Asking) -> Asking | None:
    """The hook as it is now, locked behind its run's row: everybody takes the two in this order. None: it is deleted."""
    if tx.row(_LOCK_RUN, {"run_id": asking.hook.run_id}) is None:
        return None
    tx.row(_LOCK, {"hook_id": asking.hook.id})
    row = tx.row(_AGAIN, {"hook_id": asking.hook.id})
    return None if row is None else _asking(row)


def put_answer(tx: Tx, hook_id: str, answer: Answer) -> bool:
    """Keep the answer; False when the hook does not wait for one (any more)."""
    columns = {
        "hook_id": hook_id, "answer": answer.text, "actor_type": answer.actor.type, "actor_id": answer.actor.id,
        "actor_name": answer.actor.name, "answered_from": answer.origin,
    }  # fmt: skip
    return tx.run(_ANSWER, columns) == 1


def _project_ids(scope: Scope, tx: Tx) -> list[str]:
    return [project.id for project in list_projects(scope, tx)]


def _asking(row: Row[Any]) -> Asking:
    return Asking(
        hook_of(row, payloads=False), row.organization_id, row.project, row.workflow, row.workflow_name,
        Status(row.run_status), bool(row.over),
    )  # fmt: skip
