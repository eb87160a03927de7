"""What user code prints and logs becomes log lines of the current step; it goes where it went before, too."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TextIO

from keystroke.domain.secrets import TOKEN_LENGTH, redact_tokens
from keystroke.execution.boundary import Boundary
from keystroke.execution.branches import current_branch
from keystroke.execution.current_step import current_step
from keystroke.execution.journal import Journal, Phase
from keystroke.execution.trace_buffer import TraceBuffer, log_line

#: Loggers of the platform and of what it stands on: they speak of the worker, not of the run.
_PLATFORM_LOGGERS: Final = ("keystroke", "celery", "kombu", "amqp", "billiard")
_SEVERITIES: Final = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
_STREAMS: Final = {"stdout": "INFO", "stderr": "WARNING"}
_LONGEST_PARTIAL: Final = 65_536


class LogCapture:
    """The log lines of one attempt. Called from user code, so each entrance leaves user code first and enters it again."""

    def __init__(
        self,
        buffer: TraceBuffer,
        journal: Journal,
        boundary: Boundary,
        span_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        """`span_id` is the attempt's: lines outside of steps belong to it."""
        self._buffer = buffer
        self._journal = journal
        self.platform: Final = boundary.platform
        self._span_id = span_id
        self._clock = clock
        self._partial: dict[tuple[str, str | None], str] = {}

    def log(self, record: logging.LogRecord, text: str) -> None:
        """Keep a record of the standard library's logging."""
        severity = next((name for level, name in _SEVERITIES if record.levelno >= level), "DEBUG")
        at = datetime.fromtimestamp(record.created, UTC) + (self._clock() - datetime.now(UTC))
        self._add(at, severity, text, record.name)

    def write(self, stream: str, target: TextIO, text: str, *, capture: bool) -> int:
        """Write a text through to the stream it was meant for, and keep its whole lines."""
        with self.platform():
            if capture:
                self._collect(stream, text)
            _pass_on(target, text)
        return len(text)

    def end(self) -> None:
        """Keep the lines that have not ended."""
        for (stream, step), text in self._partial.items():
            line = log_line(self._clock(), _STREAMS[stream], text, stream, self._span_id, step)
            self._buffer.add_line(line, self._journal.phase(None))
        self._partial.clear()

    def _collect(self, stream: str, text: str) -> None:
        if self._phase() is Phase.REPLAYING:
            return
        step = current_step.get()
        place = (stream, step.identity if step else None)
        *lines, rest = (self._partial.pop(place, "") + text).split("\n")
        for line in lines:
            self._add(self._clock(), _STREAMS[stream], line, stream)
        if len(rest) > _LONGEST_PARTIAL:
            # Its end stays for the next line: it may be the beginning of a token, which only the whole of it shows.
            rest = redact_tokens(rest)
            self._add(self._clock(), _STREAMS[stream], rest[: 1 - TOKEN_LENGTH], stream)
            rest = rest[1 - TOKEN_LENGTH :]
        if rest:
            self._partial[place] = rest

    def _add(self, at: datetime, severity: str, text: str, logger: str) -> None:
        phase, step = self._phase(), current_step.get()
        span_id, identity = (step.span_id, step.identity) if step else (self._span_id, None)
        self._buffer.add_line(log_line(at, severity, text, logger, span_id, identity), phase)

    def _phase(self) -> Phase:
        return Phase.LIVE if current_step.get() else self._journal.phase(current_branch.get())


class _Handler(logging.Handler):
    """On the root logger for as long as the process lives; hands records to the attempt that runs, if one does."""

    capture: LogCapture | None = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: an interruption must not find it held, and the buffer needs none."""
        capture = self.capture
        if capture is None or record.name.split(".")[0] in _PLATFORM_LOGGERS:
            return False
        with capture.platform():
            try:
                text = self.format(record)
            except Exception:  # noqa: BLE001 - wrong arguments of the author's log call: shown as they are
                text = f"{record.msg!r} % {record.args!r}"
            capture.log(record, text)
        return True


class _Stream:
    """Stands for sys.stdout or sys.stderr while an attempt runs."""

    def __init__(self, name: str, target: TextIO, capture: LogCapture) -> None:
        self._name = name
        self._target = target
        self._capture = capture

    def write(self, text: str) -> int:
        # What logging writes was captured as a log record, with its severity.
        is_log = sys._getframe(1).f_code.co_filename == logging.__file__
        return self._capture.write(self._name, self._target, text, capture=not is_log)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._capture.platform(), suppress(OSError, ValueError):
            self._target.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


_handler: Final = _Handler()


def _pass_on(target: TextIO, text: str) -> None:
    """Write to the process's own stream; the run's log has the text, so that a stream that is gone fails nobody.

    It may be closed by the code of an earlier run in this process, its reader may have died, its disk may be full.
    """
    try:
        target.write(text)
    except UnicodeEncodeError:
        with suppress(OSError):
            target.write(text.encode("ascii", "backslashreplace").decode())
    except (OSError, ValueError):
        return


@contextmanager
def capturing(capture: LogCapture) -> Iterator[None]:
    """Capture what this process logs and prints; one attempt at a time."""
    _install_handler()
    streams = {name: getattr(sys, name) for name in _STREAMS}
    tees = {name: _Stream(name, target, capture) for name, target in streams.items() if target is not None}
    _handler.capture = capture
    for name, tee in tees.items():
        setattr(sys, name, tee)
    try:
        yield
    finally:
        _handler.capture = None
        for name, tee in tees.items():
            if getattr(sys, name) is tee:
                setattr(sys, name, streams[name])
        capture.end()


def _install_handler() -> None:
    """Once per process. The root logger lets INFO pass; handlers that were there keep what they showed before."""
    root = logging.getLogger()
    if _handler in root.handlers:
        return
    for handler in root.handlers:
        if handler.level == logging.NOTSET:
            handler.setLevel(root.level)
    root.addHandler(_handler)
    if root.level > logging.INFO:
        root.setLevel(logging.INFO)


def clock_with(offset: float) -> Callable[[], datetime]:
    """The time in UTC, moved by as many seconds as the database's clock is."""
    shift = timedelta(seconds=offset)
    return lambda: datetime.now(UTC) + shift
