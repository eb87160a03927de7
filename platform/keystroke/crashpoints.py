"""Named places at which a test can make a process die: `KEYSTROKE_CRASH_AT=step-recorded` (the first time it is passed).

`KEYSTROKE_CRASH_AT=NAME:FILE` dies only while FILE does not exist, and makes it before dying: once in a whole fleet.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

#: Every crash point there is; `crash_point` refuses other names, so that none is forgotten here.
CRASH_POINTS: Final = frozenset({
    "run-inserted",
    "run-started",
    "run-claimed",
    "step-executed",
    "step-recorded",
    "wait-recording",
    "wait-recorded",
    "wait-ending",
    "wait-ended",
    "hook-creating",
    "hook-created",
    "hook-settling",
    "hook-settled",
    "child-starting",
    "child-started",
    "children-settling",
    "children-settled",
    "attempt-ending",
    "attempt-ended",
})  # fmt: skip

_armed, _, _marker = os.environ.get("KEYSTROKE_CRASH_AT", "").partition(":")


def crash_point(name: str) -> None:
    """Die here by SIGKILL where the environment says so."""
    if name not in CRASH_POINTS:
        raise ValueError(f"{name} is not in CRASH_POINTS")
    if name != _armed:
        return
    if _marker:
        try:
            Path(_marker).touch(exist_ok=False)
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
