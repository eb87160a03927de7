"""Forks happen while nobody is in the middle of something.

Children are forked later too, beside our threads. A lock that one of them holds at that moment (of a log handler, of the
connection pool) would stay locked in the child for ever. So threads of the main process do their work inside `no_fork`,
and a fork waits until none of them is there.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: A fork waits this long at most (seconds); without the database, say, children could do nothing anyway.
_PATIENCE: Final = 15.0


class ForkGuard:
    """Keeps forks and work apart; many may work at once."""

    def __init__(self) -> None:
        """Guard the forks of this process and of its children from now on."""
        self._changed = threading.Condition()
        self._working = 0
        self._fork_waits = False
        os.register_at_fork(before=self._before, after_in_parent=self._after, after_in_child=self._in_child)

    @contextmanager
    def no_fork(self) -> Iterator[None]:
        """No fork happens inside; keep it short."""
        with self._changed:
            self._changed.wait_for(lambda: not self._fork_waits)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _before(self) -> None:
        self._changed.acquire()
        self._fork_waits = True
        self._changed.wait_for(lambda: self._working == 0, _PATIENCE)

    def _after(self) -> None:
        self._fork_waits = False
        self._changed.notify_all()
        self._changed.release()

    def _in_child(self) -> None:
        """The other threads are not here."""
        self._changed = threading.Condition()
        self._working = 0
        self._fork_waits = False


_guard: Final = ForkGuard()
no_fork = _guard.no_fork


def allow_forks_beside_threads() -> None:
    """Silence Python 3.12's warning about them: what it warns of is what this module is for."""
    warnings.filterwarnings("ignore", message=r".*multi-threaded, use of fork", category=DeprecationWarning)
