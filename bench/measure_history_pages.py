"""How long the server takes for a page, and how large it is, with 100,000 runs in the history (`KEYSTROKE_BENCH_RUNS`).

The app is asked in this process, without a network; each figure is of 60 requests after 10 that are not counted.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.operations.start_run import StartRequest, start_runs
from keystroke.store.sql import Sql
from support.api import Api, open_api
from support.starts import Stage

_RUNS = int(os.environ.get("KEYSTROKE_BENCH_RUNS", "100000"))
_BATCH = 1000
_REQUESTS = 60
_HTML = {"Accept": "text/html"}
# Nine of ten end well, the others fail; a thousand are still queued.
_END = Sql("""
update runs set status = case when substr(id, 30, 1) in ('0', '1', '2') then 'failed' else 'success' end,
    started_at = created_at + 5000, finished_at = created_at + 250000, attempt = 1, step_count = 3,
    error_type = case when substr(id, 30, 1) in ('0', '1', '2') then 'ValueError' end,
    error_message = case when substr(id, 30, 1) in ('0', '1', '2') then 'The card was declined.' end
where id not in (select id from runs order by id desc limit 1000)
""")
_MIDDLE = Sql("select id from runs order by id desc limit 1 offset :offset")


def measure_history_pages(stage: Stage) -> None:
    """Print the figures of each page."""
    fill(stage)
    api = open_api(stage)
    deep = middle(stage, _RUNS // 2).removeprefix("run_")
    done = middle(stage, _RUNS * 3 // 4)
    print(f"\n{stage.database.backend}, {_RUNS:,} runs: page, median ms, 95th percentile ms, kB")
    for path in (
        "/history", f"/history?cursor={deep}", "/history?status=failed", "/history?workflow=greet&status=failed",
        "/history?q=declined", f"/history?run={done}", f"/history/{done}", f"/history/{done}?tab=metadata",
        f"/history/{done}?tab=trace", "/workflows", "/workflows/greet",
    ):  # fmt: skip
        report(api, path)
    api.services.close()


def fill(stage: Stage) -> None:
    """Runs with tags, most of them ended."""
    for start in range(0, _RUNS, _BATCH):
        requests = [
            StartRequest(
                "greet", {"name": f"Ada {n}"}, Trigger("api", "API"), LOCAL_OWNER, {"customer": f"c{n % 97}"}
            )
            for n in range(start, start + _BATCH)
        ]
        start_runs(stage.database, stage.project, requests, stage.settings, stage.box)
    with stage.database.transaction() as tx:
        tx.run(_END)
    with stage.database.statement() as tx:
        tx.run(Sql("analyze"))


def middle(stage: Stage, offset: int) -> str:
    """The id of a run so far down the list."""
    with stage.database.read() as tx:
        return str(tx.value(_MIDDLE, {"offset": offset}))


def report(api: Api, path: str) -> None:
    """Print the figures of one page."""
    answer = api.client.get(path, headers=_HTML)
    assert answer.status_code == 200, (path, answer.text[:500])
    times = [timed(lambda: api.client.get(path, headers=_HTML)) for _ in range(_REQUESTS + 10)][10:]
    high = statistics.quantiles(times, n=20)[-1]
    shown = path.replace(path.partition("run_")[2], "…") if "run_" in path else path
    print(f"  {shown:<42} {statistics.median(times):6.1f} {high:6.1f} {len(answer.data) / 1000:7.1f}")


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
