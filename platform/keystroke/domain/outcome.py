"""How an attempt ended: user code ends in exactly one of these values, and one place turns it into rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from keystroke.domain.failure import Failure
from keystroke.domain.keys import RunLimits
from keystroke.domain.states import Reason
from keystroke.domain.step import StepRecord
from keystroke.domain.trace import LogLine, Span


@dataclass(frozen=True, slots=True)
class Completed:
    """The function returned; `output` is its validated JSON value."""

    output: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The function failed. `counts` is False for failures that no further attempt could mend (invalid input)."""

    failure: Failure
    reason: Reason
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Suspended:
    """The function waits; `reason` says for what, `delay` for how long from now at most (None: until woken).

    `hooks` are the ids of hooks whose answer would wake it, `children` groups of child runs' ids, by the step that waits:
    the end of the last of a group would wake it. Several branches may wait for different things; the first that comes wakes.
    """

    reason: Reason
    delay: timedelta | None = None
    hooks: tuple[str, ...] = ()
    children: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Canceled:
    """A cancel was requested, and the code has let go."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The worker drains; another attempt goes on from the recorded steps."""


@dataclass(frozen=True, slots=True)
class Admitting:
    """The input is made and valid; the function has not begun. The run goes back to the queue, to begin under its limits.

    `input` is the JSON value to be recorded, secrets sealed.
    """

    input: Any
    limits: RunLimits


Outcome = Completed | Failed | Suspended | Canceled | HandedBack | Admitting


@dataclass(frozen=True, slots=True)
class LastRecords:
    """What an attempt has done and said last, to be written with its end: one commit for all of it."""

    steps: tuple[StepRecord, ...] = ()
    spans: tuple[Span, ...] = ()
    lines: tuple[LogLine, ...] = ()

    @property
    def has_trace(self) -> bool:
        """Whether there are spans or log lines."""
        return bool(self.spans or self.lines)


NO_RECORDS: Final = LastRecords()
