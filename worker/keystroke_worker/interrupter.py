"""The main process's side of an interruption: order, signal, and after the grace the end of the attempt's process group."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keystroke.execution.gate import Interruption
from keystroke.telemetry import announce
from keystroke.telemetry.events import AttemptInterrupted, AttemptKilled
from keystroke_worker.forks import no_fork
from keystroke_worker.interrupts import LOOK
from keystroke_worker.slots import Attempt, Order, Slot, Slots

_LOOK_EVERY: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Pending:
    """An interruption that its attempt has not followed yet; `deadline` is monotonic."""

    reason: Interruption
    deadline: float


class Interrupter:
    """Interrupts attempts of this worker; asking twice for the same changes nothing."""

    def __init__(self, slots: Slots, clock: Callable[[], float] = time.monotonic) -> None:
        """Of these slots."""
        self._slots = slots
        self._clock = clock
        self._pending: dict[Attempt, _Pending] = {}
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin to enforce."""
        threading.Thread(target=self._enforce_all, name="keystroke-interrupter", daemon=True).start()

    def interrupt(self, attempt: Attempt, reason: Interruption, grace: float) -> bool:
        """Interrupt the attempt; its processes are killed when it still goes on after `grace` seconds.

        False when it is not executed here. The weightier of several reasons holds, and the earlier deadline.
        """
        with self._changed:
            earlier = self._pending.get(attempt)
            if earlier is not None and not reason.outranks(earlier.reason):
                return True
            slot = self._slots.find(attempt)
            if slot is None:
                return False
            deadline = self._clock() + grace
            self._pending[attempt] = _Pending(
                reason, min(deadline, earlier.deadline) if earlier else deadline
            )
            slot.place(Order(attempt, reason))
            _tell(slot)
            self._changed.notify()
        announce(AttemptInterrupted(run_id=attempt.id, attempt=attempt.number, reason=reason.value))
        return True

    def _enforce_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
            with no_fork():
                self.enforce()
            threading.Event().wait(_LOOK_EVERY)

    def enforce(self) -> None:
        """Forget the attempts that have ended (of those out of time, whose code has), kill those whose grace is over."""
        with self._changed:
            for attempt, pending in list(self._pending.items()):
                slot = self._slots.find(attempt)
                if slot is None or (pending.reason is Interruption.TIMEOUT and slot.overdue is None):
                    del self._pending[attempt]
                elif self._clock() >= pending.deadline:
                    self._kill(slot, attempt)

    def _kill(self, slot: Slot, attempt: Attempt) -> None:
        """Kill the group, if the child is still on this attempt; its slot is held, so it cannot go on to another."""
        with slot.held_if_free() as held:
            pid = slot.pid
            if not held or pid is None or slot.attempt != attempt:
                return
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
        announce(AttemptKilled(run_id=attempt.id, attempt=attempt.number))


def _tell(slot: Slot) -> None:
    pid = slot.pid
    if pid is None:
        return
    try:
        os.kill(pid, LOOK)
    except ProcessLookupError:
        return
