"""The child's side of an interruption: a signal says "look", the slot says what is meant."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

from keystroke.domain.lease import Lease
from keystroke.execution.gate import InterruptGate, Interruption
from keystroke_worker.slots import Attempt, Slot

#: The main process sends it after it has placed an order.
LOOK: Final = signal.SIGUSR1


class Interrupts:
    """Hands an order to the gate of the attempt that it means; the gate raises it in user code only."""

    def __init__(self, slot: Slot) -> None:
        """Listen for the signal; in the child's main thread."""
        self._slot = slot
        self._attempt: Attempt | None = None
        self._gate: InterruptGate | None = None
        signal.signal(LOOK, self._on_signal)

    def begin(self, lease: Lease) -> InterruptGate:
        """The gate of this attempt; an order that came before its code has begun waits in it."""
        gate = InterruptGate()
        if lease.cancel_requested:
            gate.interrupt(Interruption.CANCEL)
        self._attempt, self._gate = Attempt(lease.run_id, lease.attempt), gate
        self._look()
        return gate

    def end(self) -> None:
        """The attempt's code has ended; an order for it comes too late."""
        self._gate = None

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._look()

    def _look(self) -> None:
        gate, order = self._gate, self._slot.order
        if gate is not None and order is not None and order.attempt == self._attempt:
            gate.interrupt(order.reason)
