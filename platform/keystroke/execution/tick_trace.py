"""What people see of a tick while it is executed, and its one span: kept under the tick's id."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from keystroke.domain.lease import TickLease
from keystroke.domain.outcome import LastRecords
from keystroke.domain.trace import Span
from keystroke.errors import DatabaseUnavailable
from keystroke.execution.spans import author_spans, new_span_id
from keystroke.execution.trace_buffer import TraceBuffer
from keystroke.operations.record_trace import record_tick_trace
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.telemetry import announce
from keystroke.telemetry.events import TraceNotWritten


class TickTrace:
    """Written by the flusher now and then; what is left goes with the tick's end. None of it is worth failing a tick."""

    def __init__(
        self, database: Database, lease: TickLease, settings: Settings, clock: Callable[[], datetime]
    ) -> None:
        """The attempt begins now."""
        self.buffer = TraceBuffer(settings.trace_cap)
        self.span_id = new_span_id()
        self._database = database
        self._lease = lease
        self._settings = settings
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect the author's spans."""
        with author_spans(self._lease.trace_id, self.span_id, self.buffer.add_span):
            yield

    def flush(self) -> None:
        """Write what has gathered. What the database cannot take now stays for the next time."""
        with self._lock:
            spans, lines = self.buffer.drain()
            if not (spans or lines):
                return
            try:
                record_tick_trace(self._database, self._lease.tick_id, spans, lines, self._settings)
            except DatabaseUnavailable:
                self.buffer.put_back(spans, lines)
            except Exception as error:  # noqa: BLE001 - told to the operator; the tick itself goes on
                announce(TraceNotWritten(run_id=self._lease.tick_id, why=f"{type(error).__name__}: {error}"))

    def end(self, outcome: str, *, ok: bool) -> LastRecords:
        """The attempt has ended: what is not written yet, its span among it."""
        attributes = {
            "keystroke.tick": self._lease.tick_id, "keystroke.attempt": self._lease.attempt,
            "keystroke.outcome": outcome, "keystroke.worker": self._lease.worker_id,
        }  # fmt: skip
        name, status = f"poll {self._lease.source}", "ok" if ok else "error"
        span = Span(self.span_id, None, name, "internal", self._began, self._clock(), status, attributes)
        self.buffer.add_span(span)
        with self._lock:
            spans, lines = self.buffer.drain()
        return LastRecords(spans=tuple(spans), lines=tuple(lines))
