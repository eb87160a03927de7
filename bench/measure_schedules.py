"""How late schedules fire, by real beats: of `KEYSTROKE_BENCH_SCHEDULES` (10,000) schedules whose times are spread over a minute
those of the first `KEYSTROKE_BENCH_SECONDS` (15); then a thousand that are due at the same instant.

Lateness is the tick's time by the database's clock less the time that it stands for. A run is started for each, and executed by
nobody: the beats have the machine. Besides, without any process: what a look at them costs while none is due, and how many a
second one thread fires.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final

from keystroke import ids
from keystroke.clock import from_micros, rfc3339
from keystroke.domain.source import AttachmentManifest
from keystroke.operations.record_schedule_tick import fire_due_schedules, until_next_schedule
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.measuring import analyze, timed
from support.processes import Processes
from support.schedules import scheduled
from support.starts import GREET, Stage, make_stage
from support.waiting import wait_until

_SCHEDULES: Final = int(os.environ.get("KEYSTROKE_BENCH_SCHEDULES", "10000"))
_SECONDS: Final = float(os.environ.get("KEYSTROKE_BENCH_SECONDS", "15"))
_TOGETHER: Final = min(1000, _SCHEDULES)
_BEATS: Final = {"sqlite": 1, "postgresql": 3}
_MICROS: Final = 1_000_000
_PATIENCE: Final = 120.0
_NOW: Final = Sql("select {now}")
_PUT: Final = Sql("""
insert into sources (id, project_id, slug, kind, definition, deployment_id, created_at, updated_at, armed_at, next_at, due_at)
values (:id, :project_id, :slug, 'schedule', :definition, :deployment_id, {now}, {now}, {now}, :at, :at)
""")
_ATTACH: Final = Sql(
    "insert into attachments (source_id, workflow, definition, position) values (:id, 'greet', :attached, 0)"
)
_FIRED: Final = Sql("""
select count(*) from ticks where outcome = 'fired' and scheduled_at >= :low and scheduled_at < :high
""")
_LATE: Final = Sql("""
select fired_at - scheduled_at as late from ticks where outcome = 'fired' and scheduled_at >= :low and scheduled_at < :high
order by late
""")


def measure_lateness(settings: Settings, broker_url: str, processes: Processes) -> None:
    """Print the figures of one database."""
    settings = replace(settings, broker_url=broker_url)
    with closing(Database.from_settings(settings)) as database:
        stage = make_stage(database, settings, GREET)
        beats = [processes.keystroke("beat", settings=settings) for _ in range(_BEATS[database.backend])]
        for beat in beats:
            beat.wait_for("beat_started", _PATIENCE)
        print(f"\n{database.backend}, {len(beats)} beats, {_SCHEDULES:,} schedules a minute")
        first = _now(database) + (5 + _SCHEDULES // 1000) * _MICROS
        _publish(stage, [first + number * 60 * _MICROS // _SCHEDULES for number in range(_SCHEDULES)])
        analyze(database)
        _report(database, "spread", first, first + int(_SECONDS * _MICROS), round(_SCHEDULES * _SECONDS / 60))
        for beat in beats:
            beat.stop()
        _together(stage, processes)


def _together(stage: Stage, processes: Processes) -> None:
    """A thousand due at one instant, with beats that have nothing else to do."""
    with stage.database.transaction() as tx:
        tx.run(Sql("update sources set due_at = null, next_at = null"))
    beats = [
        processes.keystroke("beat", settings=stage.settings) for _ in range(_BEATS[stage.database.backend])
    ]
    for beat in beats:
        beat.wait_for("beat_started", _PATIENCE)
    at = _now(stage.database) + 4 * _MICROS
    _publish(stage, [at] * _TOGETHER)
    _report(stage.database, f"{_TOGETHER:,} at one instant", at, at + 1, _TOGETHER)
    for beat in beats:
        beat.stop()


def measure_firing(settings: Settings) -> None:
    """Print what one thread does, without any process."""
    with closing(Database.from_settings(settings)) as database:
        stage = make_stage(database, settings, GREET)
        _publish(stage, [_now(database) + 3600 * _MICROS] * _SCHEDULES)
        analyze(database)
        looks = sorted(timed(lambda: until_next_schedule(database)) for _ in range(50))
        print(
            f"\n{database.backend}, {_SCHEDULES:,} schedules: a look when none is due takes {looks[25]:.2f} ms"
        )
        _publish(stage, [_now(database) - _MICROS] * _TOGETHER)
        began = time.perf_counter()
        while fire_due_schedules(database, settings, None) is not None:
            pass
        print(f"  one thread fires {_TOGETHER / (time.perf_counter() - began):,.0f} a second")


def _publish(stage: Stage, times: Sequence[int]) -> None:
    """A schedule for each time, which fires then and a day later: put there as rows, which is quicker than a deployment."""
    rows = [_row(stage, at) for at in times]
    with stage.database.transaction() as tx:
        tx.run_many(_PUT, [{name: row[name] for name in row if name != "attached"} for row in rows])
        tx.run_many(_ATTACH, [{"id": row["id"], "attached": row["attached"]} for row in rows])
        # They have been there for long, and are not looked at for what was before.
        tx.run(Sql("update sources set armed_at = 0"))


def _row(stage: Stage, at: int) -> dict[str, object]:
    source_id = ids.new("trg")
    manifest = scheduled(source_id, every=86_400.0, starts_at=rfc3339(from_micros(at)))
    return {
        "id": source_id, "project_id": stage.project.id, "slug": source_id, "at": at,
        "definition": json.dumps(manifest.as_json()), "deployment_id": stage.project.current_deployment_id,
        "attached": json.dumps(AttachmentManifest("greet").as_json()),
    }  # fmt: skip


def _report(database: Database, what: str, low: int, high: int, count: int) -> None:
    bounds = {"low": low, "high": high}

    def all_fired() -> bool:
        with database.read() as tx:
            return int(tx.value(_FIRED, bounds)) >= count

    wait_until(lambda: _now(database) > high, _PATIENCE, what="its time is over")
    wait_until(all_fired, _PATIENCE, what=f"{count} have fired")
    with database.read() as tx:
        late = [row.late / 1000 for row in tx.rows(_LATE, bounds)]
    p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
    print(
        f"  {what}: {len(late):,} fired, late by {p50:.0f} ms (p50), {p99:.0f} ms (p99), {late[-1]:.0f} ms (most)"
    )


def _now(database: Database) -> int:
    with database.read() as tx:
        return int(tx.value(_NOW))
