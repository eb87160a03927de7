"""Named places at which a test can make a process die: `KEYSTROKE_CRASH_AT=step-recorded` (the first time it is passed).

`KEYSTROKE_CRASH_AT=NAME:FILE` dies only while FILE does not exist, and makes it before dying: once in a whole fleet. Several
are separated by commas. Every commit of the life cycle lies between two of them: one in its transaction, when all is written,
and one behind it. They are passed only where there is something to commit.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: Every crash point there is; `crash_point` refuses other names, so that none is forgotten here.
CRASH_POINTS: Final = frozenset({
    "run-inserted",
    "run-started",
    "runs-inserted",
    "runs-started",
    "delivery-receiving",
    "delivery-received",
    "run-claiming",
    "run-claimed",
    "run-admitting",
    "run-admitted",
    "step-executed",
    "step-recording",
    "step-recorded",
    "wait-recording",
    "wait-recorded",
    "wait-ending",
    "wait-ended",
    "hook-creating",
    "hook-created",
    "hook-settling",
    "hook-settled",
    "hook-answering",
    "hook-answered",
    "child-starting",
    "child-canceling",
    "child-canceled",
    "child-started",
    "children-settling",
    "children-settled",
    "attempt-ending",
    "attempt-ended",
    "run-suspending",
    "run-suspended",
    "run-waking",
    "run-woken",
    "cancel-requesting",
    "cancel-requested",
    "run-recovering",
    "run-recovered",
    "schedule-firing",
    "schedule-fired",
    "backfill-firing",
    "backfill-fired",
    "tick-queueing",
    "tick-queued",
    "tick-claiming",
    "tick-claimed",
    "tick-ending",
    "tick-ended",
    "tick-canceling",
    "tick-canceled",
    "tick-recovering",
    "tick-recovered",
})  # fmt: skip

_armed: Final = {
    name: marker
    for name, _, marker in (
        each.partition(":") for each in os.environ.get("KEYSTROKE_CRASH_AT", "").split(",")
    )
}


def die_where_armed(name: str) -> None:
    """Die by SIGKILL where the environment says so."""
    marker = _armed.get(name)
    if marker is None:
        return
    if marker:
        try:
            Path(marker).touch(exist_ok=False)
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)


#: Told of each point that is passed. A test that does without processes puts its own here.
on_passing: Callable[[str], None] = die_where_armed


def crash_point(name: str) -> None:
    """A place at which a process may die without harm."""
    if name not in CRASH_POINTS:
        raise ValueError(f"{name} is not in CRASH_POINTS")
    on_passing(name)
