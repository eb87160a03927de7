"""The one place where an event becomes a log line.

Plain `logging` carries it, so that the events, Celery, gunicorn and the libraries end up in one stream, in one format
(`telemetry.logs`), and so that announcing costs no import of a logging framework.
"""

from __future__ import annotations

import logging
from typing import Final

from keystroke.telemetry.event import Event

LOGGER_NAME: Final = "keystroke"
#: The attribute of a log record that holds the event it announces.
RECORD_ATTRIBUTE: Final = "keystroke_event"
_LEVELS: Final = logging.getLevelNamesMapping()
_logger: Final = logging.getLogger(LOGGER_NAME)


def announce(event: Event, *, error: BaseException | None = None) -> None:
    """Say that the event happened; with `error`, its traceback follows the sentence."""
    level = _LEVELS[event.level.upper()]
    if _logger.isEnabledFor(level):
        _logger.log(level, event.sentence(), exc_info=error, extra={RECORD_ATTRIBUTE: event})
