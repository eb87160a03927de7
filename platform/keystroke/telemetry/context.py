"""The ids that every log line of a piece of work carries: request, run, trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_ids: Final[ContextVar[Mapping[str, str]]] = ContextVar("log_ids", default={})  # noqa: B039 - never mutated


def current_ids() -> Mapping[str, str]:
    """The ids bound here, outermost first."""
    return _ids.get()


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Add these ids (`request_id`, `run_id`, `trace_id` ...) to every log line of the block."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)
