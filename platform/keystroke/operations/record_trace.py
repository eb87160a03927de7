"""Write spans and log lines of a run, bounded."""

from __future__ import annotations

from collections.abc import Sequence

from keystroke.domain.lease import Lease
from keystroke.domain.trace import LogLine, Span
from keystroke.settings import Settings
from keystroke.store import Database, Tx, traces


def record_trace(
    database: Database, lease: Lease, spans: Sequence[Span], logs: Sequence[LogLine], settings: Settings
) -> None:
    """Append spans and log lines; beyond the cap of a run they are dropped, and one line says so."""
    with database.transaction() as tx:
        write_trace(tx, lease, spans, logs, settings)


def write_trace(
    tx: Tx, lease: Lease, spans: Sequence[Span], logs: Sequence[LogLine], settings: Settings
) -> None:
    """The same in a transaction of the caller's."""
    if spans:
        traces.add_spans(tx, lease.run_id, spans, settings.trace_cap)
    if logs:
        traces.add_logs(tx, lease.run_id, logs, settings.trace_cap)


def record_tick_trace(
    database: Database, tick_id: str, spans: Sequence[Span], logs: Sequence[LogLine], settings: Settings
) -> None:
    """Append what a tick says while it is executed."""
    with database.transaction() as tx:
        traces.add_under(tx, tick_id, spans, logs, settings.trace_cap)
