"""The spans and log lines of an attempt that are not in the database yet: bounded, and silent during replay.

What recorded steps and the code between them say was captured when it happened. Capture begins at the first step that is
not on record; what is said after the last recorded step is kept aside, and kept for good only if no further step comes
(then nobody has captured it).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from datetime import datetime
from typing import Final

from keystroke.domain.secrets import redact_tokens
from keystroke.domain.trace import LogLine, Span
from keystroke.execution.journal import Phase

_LONGEST_BODY: Final = 16_384
_LOGGER: Final = "keystroke"


class TraceBuffer:
    """Collects from all threads of an attempt; whoever drains it writes. At most `cap` spans and `cap` lines."""

    def __init__(self, cap: int) -> None:
        """An empty buffer."""
        self._cap = cap
        self._spans: deque[Span] = deque()
        self._lines: deque[LogLine] = deque()
        self._aside: deque[LogLine] = deque(maxlen=cap)
        self._kept = {"spans": 0, "lines": 0}
        self._drain_lock = threading.Lock()

    def drop_aside(self) -> None:
        """A step that is not on record begins: what was said before it was captured when it was said first."""
        self._aside.clear()

    def keep_aside(self) -> None:
        """No further step came: what was said after the last recorded one is new."""
        while self._aside:
            self.add_line(self._aside.popleft(), Phase.LIVE)

    def add_line(self, line: LogLine, phase: Phase) -> None:
        """Keep a log line, as far as there is room; a line at the cap says that the rest is not kept."""
        if phase is Phase.PAST_RECORDS:
            self._aside.append(line)
        elif phase is Phase.LIVE:
            self._append(line)

    def add_span(self, span: Span) -> None:
        """Keep a span without tokens of hooks, as far as there is room."""
        self._kept["spans"] += 1
        if self._kept["spans"] <= self._cap:
            self._spans.append(_shown(span))

    def _append(self, line: LogLine) -> None:
        self._kept["lines"] += 1
        if self._kept["lines"] <= self._cap:
            self._lines.append(line)
        elif self._kept["lines"] == self._cap + 1:
            self._lines.append(_note(line.at, self._cap))

    def drain(self) -> tuple[list[Span], list[LogLine]]:
        """Take out what is there."""
        with self._drain_lock:
            return (
                [self._spans.popleft() for _ in range(len(self._spans))],
                [self._lines.popleft() for _ in range(len(self._lines))],
            )

    def put_back(self, spans: list[Span], lines: list[LogLine]) -> None:
        """Return what could not be written, in front of what came since."""
        with self._drain_lock:
            self._spans.extendleft(reversed(spans))
            self._lines.extendleft(reversed(lines))


def log_line(
    at: datetime, severity: str, body: str, logger: str, span_id: str | None, step: str | None
) -> LogLine:
    """A log line as it can be stored: no tokens of hooks, no NUL, no lone surrogates, of bounded length."""
    text = (
        redact_tokens(body).replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    )
    if len(text) > _LONGEST_BODY:
        text = f"{text[:_LONGEST_BODY]} ... (cut: {len(text)} characters)"
    return LogLine(at, severity, text, redact_tokens(logger), span_id, step)


def _shown(span: Span) -> Span:
    """The span as it may be shown: its texts are the author's."""
    name, attributes, events = redact_tokens((span.name, span.attributes, span.events))
    return replace(span, name=name, attributes=attributes, events=events)


def _note(at: datetime, cap: int) -> LogLine:
    return LogLine(at, "WARNING", f"Cut here: more than {cap} log lines in this attempt.", _LOGGER)
