"""The thread that writes spans, log lines and running steps while an attempt goes on; one per process, asleep without one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

#: Seconds between two writes.
INTERVAL: Final = 0.5


class Flushable(Protocol):
    """Something that is to be written now and then."""

    def flush(self) -> None:
        """Write what has gathered; raises nothing, and may be called from another thread."""


class Flusher:
    """Calls `flush` of what is watched about every half second. A process runs one attempt at a time, and so does this."""

    def __init__(self) -> None:
        """No thread yet: it starts with the first attempt, in the process that runs it."""
        self._pid = os.getpid()
        self._watched: Flushable | None = None
        self._flushing = threading.Lock()
        self._work = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, flushable: Flushable) -> Iterator[None]:
        """Flush it meanwhile; when this ends, no flush of it is under way any more."""
        self._watched = flushable
        self._start()
        if not self._work.is_set():
            self._work.set()
        try:
            yield
        finally:
            with self._flushing:
                self._watched = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="keystroke-flusher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._work.wait()
            pause.wait(INTERVAL)
            with self._flushing:
                # Cleared before the look: an attempt that begins in between sets it again.
                self._work.clear()
                if self._watched is not None:
                    self._work.set()
                    self._watched.flush()


_flusher: Flusher = Flusher()


def process_flusher() -> Flusher:
    """The flusher of this process; a forked child makes its own, since threads are not inherited."""
    global _flusher  # noqa: PLW0603 - one per process is what it is about
    if _flusher._pid != os.getpid():
        _flusher = Flusher()
    return _flusher
