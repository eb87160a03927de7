"""Spans and log lines: appended in batches, bounded per run, read in pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from keystroke.clock import from_micros, to_micros
from keystroke.domain.scope import Scope
from keystroke.domain.trace import LogLine, Span
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_ADD_SPAN: Final = Sql("""
insert into spans (run_id, span_id, parent_id, name, kind, started_at, ended_at, status, attributes, events, written_at)
values (:run_id, :span_id, :parent_id, :name, :kind, :started_at, :ended_at, :status, :attributes, :events, {now})
""")
_ADD_LOG: Final = Sql("""
insert into logs (run_id, event, at, severity, body, logger, span_id, step, written_at)
values (:run_id, :event, :at, :severity, :body, :logger, :span_id, :step, {now})
""")
_COUNT_SPANS: Final = Sql(
    "select count(*) from (select 1 from spans where run_id = :run_id limit :most) counted"
)
_COUNT_LOGS: Final = Sql(
    "select count(*) from (select 1 from logs where run_id = :run_id limit :most) counted"
)
# The numbers of as many events, taken under the run's lock, and how many lines there are. Whoever lost the run may still
# write what it said.
_NUMBER_LOGS: Final = Sql("""
update runs set events = events + :lines where id = :run_id returning events - :lines as taken,
    (select count(*) from (select 1 from logs where run_id = :run_id limit :most) counted) as written
""")
_VISIBLE: Final = """exists (select 1 from runs where runs.id = :run_id and organization_id = :organization_id
    and (cast(:everywhere as integer) = 1 or project_id {in:projects}))"""
_LIST_SPANS: Final = Sql(f"""
select id, span_id, parent_id, name, kind, started_at, ended_at, status, attributes, events from spans
where run_id = :run_id and id > :after and {_VISIBLE} order by id limit :limit
""")
_LIST_LOGS: Final = Sql(f"""
select id, at, severity, body, logger, span_id, step from logs
where run_id = :run_id and id > :after and {_VISIBLE} order by id limit :limit
""")
_SPANS_UNDER: Final = Sql("""
select span_id, parent_id, name, kind, started_at, ended_at, status, attributes, events from spans
where run_id = :id order by id limit :limit
""")
_LOGS_UNDER: Final = Sql("""
select at, severity, body, logger, span_id, step from logs where run_id = :id order by id limit :limit
""")


def add_spans(tx: Tx, run_id: str, spans: Sequence[Span], cap: int) -> None:
    """Append spans, as many as the cap leaves room for."""
    room = cap - int(tx.value(_COUNT_SPANS, {"run_id": run_id, "most": cap}))
    tx.run_many(_ADD_SPAN, [_span_row(run_id, span) for span in spans[:room]] if room > 0 else [])


def add_logs(tx: Tx, run_id: str, logs: Sequence[LogLine], cap: int) -> None:
    """Append log lines, as many as the cap leaves room for; then one that says that the rest is missing.

    Those of a run that has been deleted are dropped.
    """
    # One more than the cap: the note that says where it was cut.
    found = tx.row(_NUMBER_LOGS, {"run_id": run_id, "lines": len(logs), "most": cap + 1})
    if found is None:
        return
    room = max(cap - found.written, 0)
    lines = list(logs[:room])
    if len(logs) > room and found.written <= cap:
        cut = logs[room]
        text = f"Log cut here: a run keeps {cap} lines."
        lines.append(LogLine(cut.at, "WARNING", text, "keystroke", cut.span_id, cut.step))
    tx.run_many(
        _ADD_LOG, [_log_row(run_id, number, line) for number, line in enumerate(lines, found.taken + 1)]
    )


def list_written_under(scope: Scope, tx: Tx, tick_id: str, *, limit: int) -> tuple[list[Span], list[LogLine]]:
    """The first spans and log lines of a tick, which are kept under its id; the scope was given the tick."""
    wanted = {"id": tick_id, "limit": limit}
    spans, lines = tx.rows(_SPANS_UNDER, wanted), tx.rows(_LOGS_UNDER, wanted)
    return [_span(row) for row in spans], [line_of(row) for row in lines]


def add_under(tx: Tx, tick_id: str, spans: Sequence[Span], lines: Sequence[LogLine], cap: int) -> None:
    """Append spans and log lines of a tick, as many as the cap leaves room for; its lines are numbered by their place."""
    add_spans(tx, tick_id, spans, cap)
    written = int(tx.value(_COUNT_LOGS, {"run_id": tick_id, "most": cap + 1}))
    kept = list(lines[: max(cap - written, 0)])
    if len(lines) > len(kept) and written <= cap:
        text = f"Log cut here: a tick keeps {cap} lines."
        kept.append(LogLine(lines[len(kept)].at, "WARNING", text, "keystroke"))
    tx.run_many(_ADD_LOG, [_log_row(tick_id, number, line) for number, line in enumerate(kept, written + 1)])


def list_spans(
    scope: Scope, tx: Tx, run_id: str, *, after: int = 0, limit: int = 1000
) -> list[tuple[int, Span]]:
    """Spans of a run in the order of writing, each with its number for paging."""
    return [(row.id, _span(row)) for row in tx.rows(_LIST_SPANS, _page(scope, run_id, after, limit))]


def list_logs(
    scope: Scope, tx: Tx, run_id: str, *, after: int = 0, limit: int = 1000
) -> list[tuple[int, LogLine]]:
    """Log lines of a run in the order of writing, each with its number for paging."""
    return [(row.id, line_of(row)) for row in tx.rows(_LIST_LOGS, _page(scope, run_id, after, limit))]


def line_of(row: Row[Any]) -> LogLine:
    """The log line of its row."""
    return LogLine(from_micros(row.at), row.severity, row.body, row.logger, row.span_id, row.step)


def _page(scope: Scope, run_id: str, after: int, limit: int) -> dict[str, Any]:
    return {
        "run_id": run_id, "after": after, "limit": limit, "organization_id": scope.organization_id,
        "everywhere": int(scope.project_ids is None), "projects": list(scope.project_ids or ()),
    }  # fmt: skip


def _span_row(run_id: str, span: Span) -> dict[str, Any]:
    return {
        "run_id": run_id, "span_id": span.span_id, "parent_id": span.parent_id, "name": _text(span.name), "kind": span.kind,
        "started_at": to_micros(span.start), "ended_at": to_micros(span.end), "status": span.status,
        "attributes": json.dumps(span.attributes) if span.attributes else None,
        "events": json.dumps(span.events) if span.events else None,
    }  # fmt: skip


def _log_row(run_id: str, event: int, line: LogLine) -> dict[str, Any]:
    return {
        "run_id": run_id, "event": event, "at": to_micros(line.at), "severity": line.severity, "body": _text(line.body),
        "logger": _text(line.logger), "span_id": line.span_id, "step": line.step,
    }  # fmt: skip


def _text(value: str) -> str:
    """The text without what a database refuses: NUL characters and lone surrogates are shown as U+FFFD."""
    return (
        value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        if not value.isascii() or "\0" in value
        else value
    )


def _span(row: Row[Any]) -> Span:
    return Span(
        row.span_id, row.parent_id, row.name, row.kind, from_micros(row.started_at), from_micros(row.ended_at), row.status,
        json.loads(row.attributes or "{}"), tuple(json.loads(row.events or "[]")),
    )  # fmt: skip
