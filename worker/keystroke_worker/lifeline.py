"""The lifeline: a pipe whose writing end only the main process has. When it dies, however it dies, the kernel closes it,
and each child's whole process group is killed: the child, and what user code has started.

A parent-death signal would not do: it follows the *thread* that forked, and it does not reach grandchildren.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import signal
import sys
import threading
from typing import Final

from billiard.util import set_pdeathsig

_F_SETSIG: Final = 10
#: The first kernel that signals at the end of the last writer alone; older ones do at the end of any reader, too.
_KERNEL: Final = (5, 6)


class Lifeline:
    """Made by the main process before its first fork."""

    def __init__(self) -> None:
        """Open the pipe."""
        self._reader, self._writer = os.pipe()

    def hold(self) -> None:
        """In a child that leads its process group: die with the main process, and take the group along."""
        os.close(self._writer)
        if sys.platform == "linux":
            # Set by Celery. It would kill this process alone, a moment before the lifeline kills the group.
            set_pdeathsig(0)
        if _kernel_tells():
            self._hold_by_signal()
        else:
            threading.Thread(target=self._hold_by_reading, name="keystroke-lifeline", daemon=True).start()

    def _hold_by_signal(self) -> None:
        """Have the kernel send SIGKILL to the group when the pipe is closed: nothing in the child need be running."""
        # Opened again, since the owner belongs to the open file, which is shared by all who inherited it.
        own = os.open(f"/proc/self/fd/{self._reader}", os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(own, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(own, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
        if _ended(own):
            os.killpg(os.getpid(), signal.SIGKILL)

    def _hold_by_reading(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT})
        os.read(self._reader, 1)
        os.killpg(os.getpid(), signal.SIGKILL)


def _kernel_tells() -> bool:
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    return sys.platform == "linux" and release is not None and (int(release[1]), int(release[2])) >= _KERNEL


def _ended(reader: int) -> bool:
    """Whether the writing end was closed before we began to watch it."""
    try:
        return os.read(reader, 1) == b""
    except BlockingIOError:
        return False
