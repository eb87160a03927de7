"""The runs that came out of a run: its children, in the order of their starts, and its replays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keystroke.domain.run import Run
from keystroke.domain.scope import Scope
from keystroke.store import history
from keystroke.store.access import list_projects
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_OF_PARENT: Final = "parent_run_id = :run_id and project_id {in:projects}"
_OF_REPLAYED: Final = "replay_of = :run_id and project_id {in:projects}"
_CHILDREN: Final = Sql(f"select id, parent_step from runs where {_OF_PARENT} order by id limit :limit")
_COUNT_CHILDREN: Final = Sql(f"select count(*) from runs where {_OF_PARENT}")
_REPLAYS: Final = Sql(f"select id, parent_step from runs where {_OF_REPLAYED} order by id limit :limit")
_COUNT_REPLAYS: Final = Sql(f"select count(*) from runs where {_OF_REPLAYED}")


@dataclass(frozen=True, slots=True)
class Relatives:
    """Runs that came out of a run, oldest first and without payloads; `total` counts those beyond the limit as well.

    `steps` holds, by run id, the identity of the parent's step that started the run (`on_failure` where the parent failed).
    """

    runs: list[Run]
    total: int
    steps: dict[str, str | None]


def list_children(scope: Scope, tx: Tx, run_id: str, limit: int = 100) -> Relatives:
    """The first children that a run started; a run of a project outside of the scope has none."""
    return _relatives(scope, tx, run_id, limit, _CHILDREN, _COUNT_CHILDREN)


def list_replays(scope: Scope, tx: Tx, run_id: str, limit: int = 100) -> Relatives:
    """The first replays of a run; a run of a project outside of the scope has none."""
    return _relatives(scope, tx, run_id, limit, _REPLAYS, _COUNT_REPLAYS)


def _relatives(scope: Scope, tx: Tx, run_id: str, limit: int, rows: Sql, count: Sql) -> Relatives:
    where = {"run_id": run_id, "projects": [project.id for project in list_projects(scope, tx)]}
    found = tx.rows(rows, {**where, "limit": limit})
    total = len(found) if len(found) < limit else int(tx.value(count, where))
    steps = {row.id: row.parent_step for row in found}
    return Relatives(history.list_runs_by_id(scope, tx, list(steps)), total, steps)
