"""The OpenTelemetry side: a span processor on the process's tracer provider, imported only where the author uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Token
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

Collect = Callable[[ReadableSpan], None]


class _Collector(SpanProcessor):
    """Hands ended spans of the run that this process executes to its attempt."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.collect: Collect | None = None

    def on_end(self, span: ReadableSpan) -> None:
        context, collect = span.get_span_context(), self.collect
        if collect is not None and context is not None and context.trace_id == self.trace_id:
            collect(span)


_collector: Final = _Collector()
_providers: Final[set[int]] = set()


@contextmanager
def collecting(trace_id: str, collect: Collect) -> Iterator[None]:
    """Hand the ended spans of this trace to `collect`; one attempt at a time."""
    _install()
    _collector.trace_id, _collector.collect = int(trace_id, 16), collect
    try:
        yield
    finally:
        _collector.collect = None


def attach(trace_id: str, span_id: str) -> Token[Context]:
    """Make that span the current one."""
    parent = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return otel_context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))


def detach(token: Token[Context]) -> None:
    """Make the span before it the current one again."""
    otel_context.detach(token)


def _install() -> None:
    """Once per provider: the author's own, where he has set one, else one of ours."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    if id(provider) not in _providers:
        provider.add_span_processor(_collector)
        _providers.add(id(provider))
