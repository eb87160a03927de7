"""How far a reader of a run's events has come: what it sends back as Last-Event-ID."""

from __future__ import annotations

import re
from typing import Final

#: Before the first event.
BEGINNING: Final = 0
_TEXT: Final = re.compile(r"\d{1,9}\Z", re.ASCII)


def parse_position(text: str | None) -> int:
    """The number of the last event that arrived; the beginning for a text that is none, so that nothing is missed."""
    return int(text) if text and _TEXT.match(text) else BEGINNING
