"""A child of the worker: one process, its own process group, at most one attempt at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keystroke.box import Box
from keystroke.broker.changes import ChangeNotices
from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke_worker.interrupts import Interrupts
from keystroke_worker.work_loop import WorkLoop

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess


class Child:
    """What a child has of its own; the rest it shares with the worker by the fork."""

    def __init__(self, worker: WorkerProcess, index: int) -> None:
        """Become a child, right after the fork."""
        os.setpgid(0, 0)
        worker.lifeline.hold()
        # Kept, since connections that are forgotten are closed, which would disturb those of the main process.
        self._inherited = worker.database.engine.pool
        worker.database.forget_inherited_connections()
        notices = ChangeNotices(worker.settings)
        worker.database.tell = lambda: notices.tell(worker.project_id)
        slot = worker.slots[index]
        slot.take(os.getpid())
        self._loop = WorkLoop(
            worker,
            slot,
            Interrupts(slot),
            wakeups=Wakeups(worker.settings),
            control=Control(worker.settings),
            box=Box(worker.settings.secret_key),
        )

    @property
    def spent(self) -> bool:
        """It has run enough, and is to be replaced by a fresh one."""
        return self._loop.spent

    def work(self) -> None:
        """Claim and execute runs until none is left."""
        self._loop.work()
