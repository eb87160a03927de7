"""The step whose action body runs: where its usage, its log lines and its spans belong."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from keystroke.domain.usage import UsageItem


@dataclass(slots=True)
class CurrentStep:
    """One try of a step while it runs. `usage` is recorded with the try, however it ends."""

    identity: str
    span_id: str
    usage: list[UsageItem] = field(default_factory=list)


#: None in the workflow's own code and outside of runs.
current_step: ContextVar[CurrentStep | None] = ContextVar("keystroke_step", default=None)
