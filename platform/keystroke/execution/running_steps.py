"""The steps that an attempt is in, so that the flusher can show those that take their time."""

from __future__ import annotations

import threading
import time
from typing import Final

from keystroke.domain.step import Step

#: Seconds after which a step is shown as running.
_LONG: Final = 0.4


class RunningSteps:
    """Steps in progress, from all threads of an attempt."""

    def __init__(self) -> None:
        """None yet."""
        self._since: dict[str, tuple[Step, float]] = {}
        self._lock = threading.Lock()

    def add(self, step: Step) -> None:
        """A try of the step begins."""
        with self._lock:
            self._since[step.identity] = (step, time.monotonic())

    def remove(self, identity: str) -> None:
        """The try has ended."""
        with self._lock:
            self._since.pop(identity, None)

    def __bool__(self) -> bool:
        """Whether an action's body runs."""
        return bool(self._since)

    def take_long(self) -> list[Step]:
        """The steps that run for long and were not taken before in this try."""
        with self._lock:
            ripe = time.monotonic() - _LONG
            long = [step for step, since in self._since.values() if since <= ripe]
            for step in long:
                self._since[step.identity] = (step, float("inf"))
        return long
