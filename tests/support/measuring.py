"""What measurements share: many runs at once, and a clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.operations.start_run import StartedRun, StartRequest, start_runs
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.starts import Stage

_BATCH = 1000


def start(stage: Stage, workflow: str, count: int) -> list[str]:
    """Start so many runs of one name; their ids."""
    started: list[str] = []
    for begin in range(0, count, _BATCH):
        requests = [
            StartRequest(workflow, {"name": "Ada"}, Trigger("api", "API"), LOCAL_OWNER)
            for _ in range(min(_BATCH, count - begin))
        ]
        results = start_runs(stage.database, stage.project, requests, stage.settings, stage.box)
        started += [each.run_id for each in results if isinstance(each, StartedRun)]
    return started


def copies(stage: Stage, run_id: str, count: int) -> None:
    """So many copies of a run's row, each queued a little later: quicker than that many starts."""
    with stage.database.read() as tx:
        row = tx.row(Sql("select * from runs where id = :id"), {"id": run_id})
    assert row is not None
    columns = list(row._mapping)
    values = {"id": "id || '_' || number", "root_run_id": "id", "queued_at": "queued_at + number"}
    selected = ", ".join(values.get(name, name) for name in columns)
    copy = Sql(f"""
        with recursive numbers (number) as (
            select 1 as number union all select number + 1 from numbers where number < :count)
        insert into runs ({", ".join(columns)}) select {selected} from runs, numbers where id = :id
    """)
    with stage.database.transaction() as tx:
        tx.run(copy, {"id": run_id, "count": count})


def analyze(database: Database) -> None:
    """What a server does by itself in time."""
    with database.statement() as tx:
        tx.run(Sql("analyze" if database.backend == "sqlite" else "vacuum analyze"))


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
