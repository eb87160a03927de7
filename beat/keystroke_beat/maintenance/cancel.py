"""Cancel what canceled runs have left behind: children that nobody told."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.domain.states import Status
from keystroke.operations.cancel_children import sweep_canceled
from keystroke_beat.maintenance.round import Means


@dataclass(frozen=True, slots=True)
class CancelChildren:
    """Who canceled their parent died meanwhile, or there were too many, or a limit or a worker canceled it."""

    every: float = 0.5

    def run(self, means: Means) -> None:
        """Cancel them, tell the workers of those that are running, and wake who goes on because of it."""
        for canceled in sweep_canceled(means.database, means.settings):
            if canceled.status is Status.RUNNING:
                means.control.cancel(canceled.worker_id, canceled.run_id, canceled.attempt)
            means.wakeups.wake_all(canceled.woken)
