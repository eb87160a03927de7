"""What people see of an attempt while it goes on: progress, running steps, spans and log lines, written in batches."""

from __future__ import annotations

import threading
from collections.abc import Callable

from keystroke.domain.trace import LogLine, Span
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.execution.ledger import Ledger
from keystroke.execution.run_facts import RunFacts
from keystroke.execution.running_steps import RunningSteps
from keystroke.execution.trace_buffer import TraceBuffer
from keystroke.execution.unwinding import Unwind
from keystroke.telemetry import announce
from keystroke.telemetry.events import TraceNotWritten


class Display:
    """Written by the flusher now and then, and by the attempt at its end. None of it is worth failing a run."""

    def __init__(
        self,
        run_id: str,
        ledger: Ledger,
        buffer: TraceBuffer,
        running: RunningSteps,
        facts: RunFacts,
        unwind: Unwind,
    ) -> None:
        """For one attempt."""
        self._run_id = run_id
        self._ledger = ledger
        self._buffer = buffer
        self._running = running
        self._facts = facts
        self._unwind = unwind
        self._lock = threading.Lock()

    def flush(self) -> None:
        """Write what has gathered. What the database cannot take now stays for the next time."""
        self._try(self._write)

    def take_rest(self) -> tuple[list[Span], list[LogLine]]:
        """The spans and lines that are not written yet, for the attempt's end; progress is written here."""
        self._try(self._write_latest)
        with self._lock:
            return self._buffer.drain()

    def _try(self, write: Callable[[], None]) -> None:
        with self._lock:
            try:
                write()
            except DatabaseUnavailable:
                return
            except LeaseLost as lost:
                self._unwind.note(lost)
            except Exception as error:  # noqa: BLE001 - told to the operator; the run itself goes on
                announce(TraceNotWritten(run_id=self._run_id, why=f"{type(error).__name__}: {error}"))

    def _write_latest(self) -> None:
        progress, self._facts.unwritten_progress = self._facts.unwritten_progress, None
        if progress is not None:
            self._write_progress(progress)

    def _write(self) -> None:
        self._write_latest()
        running = self._running.take_long()
        if running:
            self._ledger.show_running(running)
        spans, lines = self._buffer.drain()
        if spans or lines:
            try:
                self._ledger.show_trace(spans, lines)
            except DatabaseUnavailable:
                self._buffer.put_back(spans, lines)
                raise

    def _write_progress(self, progress: tuple[float | None, str | None]) -> None:
        try:
            self._ledger.show_progress(*progress)
        except DatabaseUnavailable:
            self._facts.unwritten_progress = self._facts.unwritten_progress or progress
            raise
