"""The spans of an attempt: run, attempt and steps as records of our own, and the author's through OpenTelemetry.

Ours cost no more than the record. The OpenTelemetry SDK comes in only where the project has imported its API: then the
author's spans get ours as parents, and a span processor collects them.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from keystroke.clock import from_micros
from keystroke.domain.lease import Lease
from keystroke.domain.trace import Span, root_span_id
from keystroke.execution.branches import current_branch
from keystroke.execution.journal import Journal, Phase
from keystroke.execution.trace_buffer import TraceBuffer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


def new_span_id() -> str:
    """A random span id, 16 hexadecimal digits."""
    return f"{random.getrandbits(64) or 1:016x}"


def step_span_id(run_id: str, identity: str) -> str:
    """The id of the span of a step that goes on over several attempts."""
    return hashlib.sha256(f"{run_id} {identity}".encode()).hexdigest()[:16]


class AttemptTrace:
    """The spans of one attempt, collected in the buffer."""

    def __init__(
        self, lease: Lease, buffer: TraceBuffer, journal: Journal, clock: Callable[[], datetime]
    ) -> None:
        """The attempt begins now."""
        self._journal = journal
        self.span_id = new_span_id()
        self._lease = lease
        self._buffer = buffer
        self._clock = clock
        self._began = clock()
        self._root = root_span_id(lease.run_id)

    def end_step(
        self, span_id: str, identity: str, began: datetime, *, ok: bool, attributes: Mapping[str, Any]
    ) -> None:
        """A step was executed in this attempt."""
        attributes = {"keystroke.step": identity, **attributes}
        self._add(span_id, self.span_id, identity, began, ok=ok, attributes=attributes)

    def end_attempt(self, outcome: str, *, ok: bool) -> None:
        """The attempt ended with that outcome."""
        name = f"attempt {self._lease.attempt}"
        attributes = {"keystroke.outcome": outcome, "keystroke.worker": self._lease.worker_id}
        self._add(self.span_id, self._root, name, self._began, ok=ok, attributes=attributes)

    def end_run(self, *, ok: bool) -> None:
        """The run ended with this attempt."""
        attributes = {"keystroke.run_id": self._lease.run_id, "keystroke.workflow": self._lease.workflow}
        began, parent = self._lease.started_at, self._lease.parent_span_id
        self._add(self._root, parent, self._lease.workflow, began, ok=ok, attributes=attributes)

    @contextmanager
    def current(self, span_id: str) -> Iterator[None]:
        """Make our span the parent of what the author's code begins through the OpenTelemetry API."""
        with parent_span(self._lease.trace_id, span_id):
            yield

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect the author's spans of this run, and make the attempt's span their parent."""
        with author_spans(self._lease.trace_id, self.span_id, self._collect):
            yield

    def _collect(self, span: Span) -> None:
        if self._journal.phase(current_branch.get()) is not Phase.REPLAYING:
            self._buffer.add_span(span)

    def _add(
        self,
        span_id: str,
        parent: str | None,
        name: str,
        began: datetime,
        *,
        ok: bool,
        attributes: Mapping[str, Any],
    ) -> None:
        status = "ok" if ok else "error"
        self._buffer.add_span(
            Span(span_id, parent, name, "internal", began, self._clock(), status, dict(attributes))
        )


@contextmanager
def parent_span(trace_id: str, span_id: str) -> Iterator[None]:
    """Make a span of ours the parent of what the author's code begins through the OpenTelemetry API."""
    if "opentelemetry" not in sys.modules:
        yield
        return
    from keystroke.execution import otel

    token = otel.attach(trace_id, span_id)
    try:
        yield
    finally:
        otel.detach(token)


@contextmanager
def author_spans(trace_id: str, span_id: str, keep: Callable[[Span], None]) -> Iterator[None]:
    """Hand the author's spans that end meanwhile to `keep`, and make that span of ours their parent."""
    if "opentelemetry" not in sys.modules:
        yield
        return
    from keystroke.execution import otel

    def collect(span: ReadableSpan) -> None:
        if (context := span.get_span_context()) is not None:
            keep(_as_record(span, f"{context.span_id:016x}"))

    with otel.collecting(trace_id, collect), parent_span(trace_id, span_id):
        yield


def _as_record(span: ReadableSpan, span_id: str) -> Span:
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    start = from_micros((span.start_time or 0) // 1000)
    end = from_micros(span.end_time // 1000) if span.end_time is not None else None
    status, kind = span.status.status_code.name.lower(), span.kind.name.lower()
    events = tuple(
        {"name": event.name, "at": event.timestamp // 1000, "attributes": _plain(event.attributes)}
        for event in span.events
    )
    return Span(span_id, parent, span.name, kind, start, end, status, _plain(span.attributes), events)


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """OpenTelemetry's attributes as JSON: text, numbers, truth values, and lists of these."""
    return {
        key: list(value) if isinstance(value, tuple) else value.hex() if isinstance(value, bytes) else value
        for key, value in (attributes or {}).items()
    }
