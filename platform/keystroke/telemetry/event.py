"""What an event is: a frozen dataclass whose docstring is the sentence that people read."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

Level = Literal["debug", "info", "warning", "error"]
#: Keys of a log line that no field of an event may take.
RESERVED = frozenset({"time", "level", "component", "event", "message", "logger", "exception", "name"})


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened."""

    level: ClassVar[Level] = "info"

    @classmethod
    def name(cls) -> str:
        """The stable name that log searches and alerts use: `run_claimed` for RunClaimed."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def sentence(self) -> str:
        """The docstring with the event's fields filled in."""
        return (type(self).__doc__ or "").format(**self.as_fields())

    def as_fields(self) -> dict[str, Any]:
        """The fields by name, as they stand in a JSON log line."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
