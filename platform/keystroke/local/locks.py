"""One `keystroke dev` per project, and none of its programs left over from an earlier one.

Two files are locked (flock, so that the kernel lets go when a holder dies, however it dies): `dev.lock` by `keystroke dev`
alone, `programs.lock` by it and, by inheritance, by everything it starts. Whoever holds the first and waits for the
second knows that nothing works on the project's data any more.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from keystroke.client.workspace import Workspace
from keystroke.local.refusals import DevAlreadyRuns, LeftoversAlive
from keystroke.local.sessions import end_session, is_session_alive

#: Seconds: a command that only looks at the lock lets go at once.
_LOOKER: Final = 0.5
#: Seconds that programs of a killed `keystroke dev` have to end by themselves, then to be gone after SIGKILL.
_GRACE: Final = 5.0


@contextmanager
def serve_alone(workspace: Workspace) -> Iterator[int]:
    """Hold both locks; gives the descriptor that programs inherit. DevAlreadyRuns, LeftoversAlive."""
    own = os.open(workspace.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    shared = os.open(workspace.state / "programs.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock_as_the_only_one(own, workspace)
        _wait_for_leftovers(shared, workspace)
        yield shared
        workspace.remove_address()
    finally:
        os.close(shared)
        os.close(own)


def record_programs(workspace: Workspace, process_ids: list[int]) -> None:
    """Note the sessions that are running, for the next start to end them if we cannot."""
    _programs_file(workspace).write_text("\n".join(map(str, process_ids)), encoding="utf-8")


def _lock_as_the_only_one(descriptor: int, workspace: Workspace) -> None:
    if not _take(descriptor, _LOOKER):
        pid = os.pread(descriptor, 32, 0).decode().strip() or "?"
        address = workspace.read_address()
        url = address.url if address and str(address.pid) == pid else "it is starting"
        raise DevAlreadyRuns(directory=workspace.project_directory, url=url, pid=pid)
    workspace.remove_address()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _wait_for_leftovers(descriptor: int, workspace: Workspace) -> None:
    """Let the programs of a killed `keystroke dev` end; help those that do not."""
    if _take(descriptor, _GRACE):
        return
    sessions = [pid for pid in _recorded(workspace) if is_session_alive(pid)]
    for session in sessions:
        end_session(session)
    if not _take(descriptor, _GRACE):
        raise LeftoversAlive(
            directory=workspace.project_directory, processes=", ".join(map(str, sessions)) or "?"
        )


def _take(descriptor: int, patience: float) -> bool:
    """Lock within so many seconds, or say that it did not work."""
    return _within(patience, lambda: _locked_now(descriptor))


def _locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _within(seconds: float, happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _programs_file(workspace: Workspace) -> Path:
    return workspace.state / "programs"


def _recorded(workspace: Workspace) -> list[int]:
    try:
        return [int(line) for line in _programs_file(workspace).read_text(encoding="utf-8").split()]
    except (FileNotFoundError, ValueError):
        return []
