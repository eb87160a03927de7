"""How log lines look: sentences with colour on a terminal, one JSON object a line elsewhere.

Keys of a JSON line: `time` (RFC 3339), `level`, `component`, `event` (of an announced event), `logger` (of another
library's line), `message`, the ids of `telemetry.context`, the event's fields, `exception` where there is one.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from keystroke.clock import rfc3339
from keystroke.domain.secrets import redact_tokens
from keystroke.settings import Settings
from keystroke.telemetry.announce import LOGGER_NAME, RECORD_ATTRIBUTE
from keystroke.telemetry.context import current_ids

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

#: Libraries whose information is of no use to an operator; their warnings are.
_QUIET = ("alembic", "amqp", "celery", "gunicorn.access", "httpcore", "httpx", "kombu", "mcp", "werkzeug")


def configure_logging(settings: Settings, component: str, stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (stderr), in the format and from the level of the settings.

    `component` names the process in each line: `api`, `worker`, `beat`. Calling it again replaces what was configured.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        _formatter(component, _wants_json(settings.log_format, stream), colors=stream.isatty())
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger(LOGGER_NAME).setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def _wants_json(log_format: str, stream: TextIO) -> bool:
    return log_format == "json" or (log_format == "auto" and not stream.isatty())


def _formatter(component: str, as_json: bool, *, colors: bool) -> logging.Formatter:
    """A formatter made of structlog's processors; imported here, since structlog takes a fifth of a second."""
    import structlog

    def name_component(_logger: Any, _method: str, line: EventDict) -> EventDict:
        return {"component": component, **line}

    if as_json:
        last: list[Processor] = [structlog.processors.format_exc_info, _order, _render_json]
    else:
        # Not the tracebacks of rich: they show local variables, and with them secrets.
        plain = structlog.dev.plain_traceback
        last = [
            _shorten,
            structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=plain),
        ]
    return structlog.stdlib.ProcessorFormatter(processors=[_describe, name_component, *last, _hide_tokens])


def _describe(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """The line of a log record: what it says, when, and the fields of the event it announces."""
    record: logging.LogRecord = line["_record"]
    described: EventDict = {
        "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
        "message": line["event"],
        **current_ids(),
    }
    if line.get("exc_info"):
        described["exc_info"] = line["exc_info"]
    event = getattr(record, RECORD_ATTRIBUTE, None)
    if event is None:
        return {**described, "logger": record.name}
    return {**described, "event": event.name(), **event.as_fields()}


def _order(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Put what people look for first in front."""
    first = ("time", "level", "component", "event", "logger", "message")
    return {key: line[key] for key in first if key in line} | {
        key: value for key, value in line.items() if key not in first
    }


def _render_json(_logger: Any, _method: str, line: EventDict) -> str:
    return json.dumps(line, default=str, ensure_ascii=False)


def _hide_tokens(_logger: Any, _method: str, line: Any) -> Any:
    """The line as it goes out: whoever reads the platform's log must not be able to answer hooks."""
    return redact_tokens(line)


def _shorten(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Leave what people read: the time of day, the sentence, and nothing that it says already."""
    kept = {key: line[key] for key in ("level", "component", "logger", "exc_info") if key in line}
    clock = datetime.fromisoformat(line["time"]).astimezone().strftime("%H:%M:%S")
    return {"timestamp": clock, "event": line["message"], **kept}
