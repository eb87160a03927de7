"""What a worker's processes know of each other: one slot per child, in memory that all of them share.

A child writes what it executes; the main process writes what is to be interrupted. To kill an attempt the main process
holds its slot, which the child needs for each claim and each finish: while it is held, the child stays on its attempt.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import tempfile
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from keystroke.execution.gate import Interruption

_CELL: Final = 128
_HEAD: Final = 6
_CELLS_OF_SLOT: Final = 3
_FLAGS: Final = _CELL
_READ_TRIES: Final = 1000


class Attempt(NamedTuple):
    """One attempt of a run, or of a tick of a poll: `id` is that of the one or the other."""

    id: str
    number: int


@dataclass(frozen=True, slots=True)
class Order:
    """What the main process wants: interrupt this attempt, for this reason, and no other."""

    attempt: Attempt
    reason: Interruption


class Cell:
    """A short text in shared memory with one writer. A checksum tells a reader when it came in the middle of a write."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        """The cell at this place."""
        self._memory = memory
        self._offset = offset

    def write(self, text: str) -> None:
        """Replace the text."""
        content = text.encode()
        if len(content) > _CELL - _HEAD:
            raise ValueError(f"{text!r} does not fit into a slot")
        head = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(2, "little")
        self._memory[self._offset : self._offset + _HEAD + len(content)] = head + content

    def read(self) -> str:
        """The text; empty where its writer died while it wrote."""
        for _ in range(_READ_TRIES):
            raw = self._memory[self._offset : self._offset + _CELL]
            content = raw[_HEAD : _HEAD + int.from_bytes(raw[4:6], "little")]
            if zlib.crc32(content) == int.from_bytes(raw[:4], "little"):
                return content.decode()
            time.sleep(0)
        return ""


class Slot:
    """One child's slot. `index` is the child's place in the pool, taken over by its replacement."""

    def __init__(self, slots: Slots, index: int, cells: list[Cell], flag: int) -> None:
        """Made by Slots."""
        self.index = index
        self._slots = slots
        self._process, self._attempt, self._order = cells
        self._flag = flag

    # Written by the child.

    def take(self, pid: int) -> None:
        """A new child begins here, with nothing to do."""
        self.clear()
        self._process.write(str(pid))

    def publish(self, attempt: Attempt | None, limit: float | None = None) -> None:
        """The child executes this attempt from now on, for at most `limit` seconds, or none. Only while it holds the slot."""
        # The exact number: a rounded one may lie ahead, and the attempt would have worked for less than no time.
        clock = "" if attempt is None else f" {time.monotonic()!r} {'' if limit is None else f'{limit:.3f}'}"
        self._attempt.write(_text_of(attempt) + clock)

    def lift_limit(self) -> None:
        """The attempt's code has ended: however long its record takes, its time is not over by that."""
        words = self._attempt.read().split(" ")
        if len(words) > 1:
            self._attempt.write(" ".join([*words[:3], ""]))

    def set_working(self, working: bool) -> None:
        """Whether the child looks for work or executes some; else it waits to be woken."""
        self._slots.memory[self._flag] = int(working)

    @property
    def order(self) -> Order | None:
        """The latest order, perhaps for an attempt that has ended."""
        attempt, _, reason = self._order.read().rpartition(" ")
        return Order(_attempt_of(attempt), Interruption(reason)) if reason else None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the slot; waits for the main process to let go. OSError where user code has closed its file."""
        self._slots.check_lock_file()
        fcntl.lockf(self._slots.lock_file, fcntl.LOCK_EX, 1, self.index)
        try:
            yield
        finally:
            fcntl.lockf(self._slots.lock_file, fcntl.LOCK_UN, 1, self.index)

    # Written by the main process.

    def place(self, order: Order) -> None:
        """Leave an order; a signal tells the child to look."""
        self._order.write(f"{_text_of(order.attempt)} {order.reason}")

    def clear(self) -> None:
        """Nobody is here."""
        self._process.write("")
        self._attempt.write("")
        self.set_working(False)

    @contextmanager
    def held_if_free(self) -> Iterator[bool]:
        """Hold the slot, or give False at once where the child holds it."""
        try:
            fcntl.lockf(self._slots.lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self.index)
        except (BlockingIOError, PermissionError):
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._slots.lock_file, fcntl.LOCK_UN, 1, self.index)

    @property
    def pid(self) -> int | None:
        """The child's process id, which is its process group's too."""
        text = self._process.read()
        return int(text) if text else None

    @property
    def attempt(self) -> Attempt | None:
        """What the child executes."""
        text = self._attempt.read()
        return _attempt_of(text) if text else None

    @property
    def worked(self) -> timedelta:
        """How long the child has been at its attempt; zero without one."""
        words = self._attempt.read().split(" ")
        return timedelta(seconds=time.monotonic() - float(words[2])) if len(words) > 1 else timedelta()

    @property
    def overdue(self) -> Attempt | None:
        """What the child executes, if its time is over."""
        words = self._attempt.read().split(" ")
        if len(words) == 1 or not words[3] or time.monotonic() < float(words[2]) + float(words[3]):
            return None
        return Attempt(words[0], int(words[1]))

    @property
    def working(self) -> bool:
        """The child looks for work or executes some."""
        return bool(self._slots.memory[self._flag])

    @property
    def idle(self) -> bool:
        """A child is here and waits to be woken."""
        return not self.working and self.pid is not None


class Slots:
    """All slots of a worker, its id, and whether it drains. Made before the first fork; children inherit it.

    The locks are record locks on one unlinked file: unlike flock's they are not inherited by what user code forks, and
    the death of their holder releases them.
    """

    def __init__(self, concurrency: int) -> None:
        """Room for so many children."""
        cells = 1 + concurrency * _CELLS_OF_SLOT
        self.memory = mmap.mmap(-1, _FLAGS + cells * _CELL)
        self.lock_file, path = tempfile.mkstemp(prefix="keystroke-slots-")
        Path(path).unlink()
        weakref.finalize(self, os.close, self.lock_file)
        self._lock_file_identity = _identity(self.lock_file)
        every = [Cell(self.memory, _FLAGS + number * _CELL) for number in range(cells)]
        self._worker_id = every[0]
        self._slots = [
            Slot(self, index, every[1 + index * _CELLS_OF_SLOT : 1 + (index + 1) * _CELLS_OF_SLOT], index + 1)
            for index in range(concurrency)
        ]

    def __getitem__(self, index: int) -> Slot:
        """The slot of the child at this place in the pool."""
        return self._slots[index]

    def __iter__(self) -> Iterator[Slot]:
        """All slots."""
        return iter(self._slots)

    @property
    def worker_id(self) -> str:
        """The worker's id; a new one after it was declared dead."""
        return self._worker_id.read()

    @worker_id.setter
    def worker_id(self, worker_id: str) -> None:
        self._worker_id.write(worker_id)

    @property
    def draining(self) -> bool:
        """No child claims any more."""
        return bool(self.memory[0])

    def begin_draining(self) -> None:
        """Forbid further claims; may be called from a signal's handler."""
        self.memory[0] = 1

    def check_lock_file(self) -> None:
        """Raise OSError where the descriptor is closed, or stands for another file since."""
        if _identity(self.lock_file) != self._lock_file_identity:
            raise OSError(errno.EBADF, "user code has closed a file of the worker's")

    def find(self, attempt: Attempt) -> Slot | None:
        """The slot in which this attempt is executed."""
        return next((slot for slot in self if slot.attempt == attempt), None)

    def running(self) -> list[Attempt]:
        """All attempts that are executed here."""
        return [attempt for slot in self if (attempt := slot.attempt) is not None]


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _text_of(attempt: Attempt | None) -> str:
    return "" if attempt is None else f"{attempt.id} {attempt.number}"


def _attempt_of(text: str) -> Attempt:
    leased, number, *_ = text.split(" ")
    return Attempt(leased, int(number))
