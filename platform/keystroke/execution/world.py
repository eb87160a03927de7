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


class World:
    """The real one."""

    def __init__(self, settings: Settings) -> None:
        """Its clock goes as the database's does."""
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
