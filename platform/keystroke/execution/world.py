"""What an attempt finds around it: the time, pauses, what an action's call runs, the books. A test kit brings its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from keystroke.authoring.action import Action
from keystroke.domain.lease import Lease
from keystroke.execution.flusher import Flusher, process_flusher
from keystroke.execution.gate import Gate
from keystroke.execution.ledger import Ledger
from keystroke.execution.log_capture import clock_with
from keystroke.execution.unwinding import Unwind
from keystroke.settings import Settings
from keystroke.store import Database

#: Wakes the workers of a queue, given as project id and name, without making its caller wait.
Wake = Callable[[str, str], None]


def wake_nobody(_project_id: str, _queue: str) -> None:
    """Somebody else looks for work."""


class World:
    """The real one."""

    wake: Wake = staticmethod(wake_nobody)

    def __init__(self, settings: Settings, wake: Wake = wake_nobody) -> None:
        """Its clock goes as the database's does; `wake` is told of the queues in which children were started."""
        self.wake = wake
        self.now: Callable[[], datetime] = clock_with(settings.clock_offset)

    def monotonic(self) -> float:
        """Seconds of a clock that is never set."""
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Wait in place, in a thread; what interrupts is raised into it."""
        time.sleep(seconds)

    async def rest_async(self, seconds: float) -> None:
        """Wait in place, in the event loop."""
        await asyncio.sleep(seconds)

    def jitter(self) -> float:
        """Where in its bounds the next pause lies, from 0 to 1."""
        return random.random()  # noqa: S311 - jitter is no secret

    def body(self, action: Action[..., Any]) -> Callable[..., Any]:
        """What a call of the action runs: its function."""
        return action.function

    def flusher(self) -> Flusher:
        """What writes logs and progress while the attempt goes on."""
        return process_flusher()

    def ledger(
        self, database: Database, lease: Lease, settings: Settings, gate: Gate, unwind: Unwind
    ) -> Ledger:
        """What the attempt writes its records with."""
        return Ledger(database, lease, settings, gate, unwind)
