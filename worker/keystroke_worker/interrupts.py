"""The child's side of an interruption: a signal says "look", the slot says what is meant."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

from keystroke.domain.lease import AnyLease
from keystroke.execution.gate import InterruptGate, Interruption
from keystroke_worker.slots import Attempt, Slot

#: The main process sends it after it has placed an order.
LOOK: Final = signal.SIGUSR1
#: The end is the main process's affair, whoever else is told to end. Handlers rather than SIG_IGN, which the programs
#: that user code starts would inherit.
_HELD_BACK: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Interrupts:
    """Hands an order to the gate of the attempt that it means; the gate raises it in user code only."""

    def __init__(self, slot: Slot) -> None:
        """Of the child in this slot; made and used in its main thread."""
        self._slot = slot
        self._attempt: Attempt | None = None
        self._gate: InterruptGate | None = None
        self._listen()

    def begin(self, lease: AnyLease) -> InterruptGate:
        """The gate of this attempt; an order that came before its code has begun waits in it."""
        self._listen()
        gate = InterruptGate()
        if lease.cancel_requested:
            gate.interrupt(Interruption.CANCEL)
        self._attempt, self._gate = Attempt(lease.id, lease.attempt), gate
        self._look()
        return gate

    def end(self) -> None:
        """The attempt's code has ended; an order for it comes too late, and so does an alarm that it has set."""
        self._gate = None
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _listen(self) -> None:
        """Before each attempt: the code of an earlier one may have ignored or blocked the signals of this process."""
        signal.signal(LOOK, self._on_signal)
        for number in _HELD_BACK:
            signal.signal(number, _hold_back)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {LOOK, signal.SIGALRM})

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._look()

    def _look(self) -> None:
        gate, order = self._gate, self._slot.order
        if gate is not None and order is not None and order.attempt == self._attempt:
            gate.interrupt(order.reason)


def _hold_back(_signal: int, _frame: FrameType | None) -> None:
    """The main process drains, then ends its children itself."""
