"""Sessions of processes: each program leads one, so that all it started can be found and ended with it.

A process group would not do: a worker gives each attempt a group of its own.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

#: States of processes that only wait for their parent to take notice.
_DEAD: Final = frozenset("ZXx")


def end_session(leader: int) -> None:
    """SIGKILL to every process of the session; without /proc, to the leader's process group."""
    for pid in session_members(leader):
        _kill(pid)
    # Nobody may be left in it, which is what was wanted (macOS says "not permitted" of a group of zombies).
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def is_session_alive(leader: int) -> bool:
    """Whether the process is there and leads a session, as our programs do: a later process with its id rarely does."""
    try:
        return os.getsid(leader) == leader
    except (ProcessLookupError, PermissionError):
        return bool(session_members(leader))


def session_members(leader: int) -> list[int]:
    """The living processes of a session, by /proc; empty where there is none."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _session_of(entry) == leader]


def _session_of(entry: Path) -> int | None:
    """The session of one living process; None when it went away while we looked, or is a zombie."""
    try:
        # The name in parentheses may hold anything; what follows the last one is: state, parent, group, session ...
        fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[3]) if fields[0] not in _DEAD else None


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
        os.kill(pid, signal.SIGKILL)
