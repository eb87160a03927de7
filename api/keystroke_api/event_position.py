"""How far a reader of a run's events has come: what it sends back as Last-Event-ID."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

_TEXT: Final = re.compile(r"(\d{1,18})\.(\d{1,18})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """The numbers of the last transition and the last log line that were sent: `17.2041`."""

    transition: int = 0
    log: int = 0

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """The position of a text; the beginning for one that is none, so that nothing is missed."""
        match = _TEXT.match(text or "")
        return cls(int(match[1]), int(match[2])) if match else cls()

    def after_transition(self, number: int) -> Position:
        """Having sent this transition."""
        return replace(self, transition=number)

    def after_log(self, number: int) -> Position:
        """Having sent this log line."""
        return replace(self, log=number)

    def __str__(self) -> str:
        """As it is sent."""
        return f"{self.transition}.{self.log}"
