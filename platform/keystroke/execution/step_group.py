"""Step records that are written in groups (`durability="relaxed"`): gathered here, written a few milliseconds behind.

Groups are written whole, one after the other, in the order of the records: whatever is on record, nothing before it is
missing. A group that could not be written stays, and the attempt's next durable call writes it or fails with it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from keystroke.domain.step import StepRecord

#: Seconds after which a record is written, if nothing has written it before.
_AGE: Final = 0.005
#: What a group holds at most, before the attempt waits until it is written.
_MOST: Final = 200
_MOST_BYTES: Final = 1 << 18


class StepGroup:
    """The records of one attempt that are not written yet."""

    def __init__(self, write_now: Callable[[], None]) -> None:
        """`write_now` writes what there is, from the writer's thread; it raises nothing."""
        #: Held while a group is on its way to the database.
        self.writing = threading.RLock()
        #: The group on its way may have been committed, without an answer.
        self.doubtful = False
        self._gathered: list[StepRecord] = []
        self._bytes = 0
        self._given_up = False
        self._under_way: list[StepRecord] = []
        self._write_now = write_now
        self._lock = threading.Lock()

    def add(self, record: StepRecord) -> None:
        """Have the record written soon."""
        with self._lock:
            if self._given_up:
                return
            first = not self._gathered
            self._gathered.append(record)
            self._bytes += record.size
        if first:
            _process_writer().wake(self._write_now)

    @property
    def is_full(self) -> bool:
        """Whether the attempt has to wait for a write before it goes on."""
        return len(self._gathered) >= _MOST or self._bytes >= _MOST_BYTES

    def next(self) -> list[StepRecord]:
        """The group to be written now, the same one until it is `written`; empty where there is none. Hold `writing`."""
        with self._lock:
            if not self._under_way:
                self._under_way, self._gathered, self._bytes = self._gathered, [], 0
            return self._under_way

    def give_up(self) -> None:
        """Nothing of it can be written, nor what would come after it."""
        with self._lock:
            self._gathered, self._bytes, self._given_up = [], 0, True
        self.written()

    def written(self) -> None:
        """The group is on record."""
        self._under_way, self.doubtful = [], False


class _Writer:
    """One thread per process, asleep while nothing waits: writes what an attempt itself has not written within the age."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._wanted: Callable[[], None] | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake(self, write: Callable[[], None]) -> None:
        """Call it when the age is over."""
        with self._changed:
            self._wanted = write
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="keystroke-step-writer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted is not None)
                write, self._wanted = self._wanted, None
            time.sleep(_AGE)
            if write is not None:
                write()


_writer = _Writer()


def _process_writer() -> _Writer:
    """The writer of this process; a forked child makes its own, since threads are not inherited."""
    global _writer  # noqa: PLW0603 - one per process is what it is about
    if _writer.pid != os.getpid():
        _writer = _Writer()
    return _writer
