"""Have the polls looked for something new whose time has come."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.operations.queue_tick import queue_due_ticks
from keystroke_beat.maintenance.round import Means


@dataclass(frozen=True, slots=True)
class StartPolls:
    """A tick for each poll that is due; the workers execute them."""

    every: float = 0.25

    def run(self, means: Means) -> None:
        """Queue all that are due, batch by batch, and wake their queues."""
        more = True
        while more:
            due = queue_due_ticks(means.database)
            means.wakeups.wake_all((each.project_id, each.queue) for each in due.queued)
            more = due.more
