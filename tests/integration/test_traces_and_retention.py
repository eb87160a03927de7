"""Spans and logs are bounded; what has expired goes with all it owned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from keystroke.domain.trace import LogLine, Span
from keystroke.operations.record_trace import record_trace
from keystroke.operations.retention import delete_expired, ensure_partitions
from keystroke.store import Database, history
from keystroke.store.sql import Sql
from support.starts import Stage

_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
_OWNED = (
    "runs",
    "run_payloads",
    "run_tags",
    "transitions",
    "steps",
    "usage_items",
    "spans",
    "logs",
    "idempotency_keys",
)


def line(number: int, body: str = "hello") -> LogLine:
    return LogLine(_AT, "INFO", f"{body} {number}", "app", None, "charge#0")


def test_spans_and_logs_are_read_back_in_pages(stage: Stage) -> None:
    lease = stage.start_and_claim()
    span = Span("0" * 15 + "1", None, "charge", "internal", _AT, _AT, "ok", {"n": 1}, ({"name": "retry"},))
    record_trace(stage.database, lease, [span], [line(1), line(2)], stage.settings)
    with stage.database.read() as tx:
        [(_, read)] = history.list_spans(stage.scope, tx, lease.run_id)
        [(number, first)] = history.list_logs(stage.scope, tx, lease.run_id, limit=1)
        rest = history.list_logs(stage.scope, tx, lease.run_id, after=number)
    assert read == span
    assert [first, *(each for _, each in rest)] == [line(1), line(2)]


def test_logs_are_cut_once_with_a_note(stage: Stage) -> None:
    lease, settings = stage.start_and_claim(), replace(stage.settings, trace_cap=5)
    for _ in range(4):
        record_trace(stage.database, lease, [], [line(n) for n in range(3)], settings)
    with stage.database.read() as tx:
        bodies = [each.body for _, each in history.list_logs(stage.scope, tx, lease.run_id)]
    assert bodies == [
        "hello 0",
        "hello 1",
        "hello 2",
        "hello 0",
        "hello 1",
        "Log cut here: a run keeps 5 lines.",
    ]


def test_what_a_database_refuses_is_replaced(stage: Stage) -> None:
    lease = stage.start_and_claim()
    record_trace(stage.database, lease, [], [line(1, "nul \0 and lone \ud800 é")], stage.settings)
    with stage.database.read() as tx:
        [(_, read)] = history.list_logs(stage.scope, tx, lease.run_id)
    assert read.body == "nul \ufffd and lone ? é 1"


def count(database: Database, table: str) -> int:
    with database.read() as tx:
        return int(tx.value(Sql(f"select count(*) from {table}")))


def test_an_expired_run_goes_with_all_it_owned(stage: Stage) -> None:
    lease = stage.start_and_claim(tags={"a": "b"}, idempotency_key="k")
    record_trace(stage.database, lease, [], [line(1)], stage.settings)
    stage.finish(lease)
    assert delete_expired(stage.database) == 0
    with stage.database.transaction() as tx:
        tx.run(Sql("update runs set expires_at = 1"))
        tx.run(Sql("update idempotency_keys set expires_at = 1"))
    assert delete_expired(stage.database) == 1
    assert {table: count(stage.database, table) for table in _OWNED} == dict.fromkeys(_OWNED, 0)


def test_partitions_are_made_ahead_by_any_number_of_processes(stage: Stage) -> None:
    ensure_partitions(stage.database, stage.settings)
    ensure_partitions(stage.database, stage.settings)
    if stage.database.backend == "postgresql":
        with stage.database.read() as tx:
            names = {
                row.relname
                for row in tx.rows(Sql("select relname from pg_class where relname like 'logs_2%'"))
            }
        assert len([name for name in names if name.removeprefix("logs_").isdigit()]) == 7
