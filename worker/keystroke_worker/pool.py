"""Celery's prefork pool, made to survive what it is used for here: children that are killed.

Three things differ from billiard's thread-fed pool: its queues need no locks, a dead child is noticed at once and
reported before it is replaced, and a child leaves when it is told to be spent.
"""

from __future__ import annotations

import os
from multiprocessing.connection import wait
from typing import Any, Final

from billiard.pool import EX_OK, RUN, Pool, Supervisor, Worker
from billiard.process import current_process
from celery.concurrency.prefork import TaskPool

from keystroke_worker.here import child_of_worker, current_child, worker_process
from keystroke_worker.packets import PacketQueue

#: A child whose death its sentinel does not tell (something it forked keeps it open) is noticed after so many seconds.
_LOOK: Final = 0.2


class ChildWorker(Worker):  # type: ignore[misc]
    """What runs in a child."""

    wait_for_job: Any

    def on_loop_start(self, pid: int) -> None:
        """The child is ready for tasks: make it one of ours."""
        child_of_worker(current_process().index)

    def _make_child_methods(self, *arguments: Any) -> None:
        super()._make_child_methods(*arguments)
        wait_for_job = self.wait_for_job

        def wait_unless_spent() -> Any:
            if current_child().spent:
                raise SystemExit(EX_OK)
            return wait_for_job()

        self.wait_for_job = wait_unless_spent

    def _ensure_messages_consumed(self, completed: int) -> bool:
        """Packets outlive their sender, so there is nothing to wait for."""
        return True

    def _do_exit(self, pid: int, exitcode: int | None, exc: BaseException | None = None) -> None:
        """Leave at once; the supervisor sees it. (Billiard announces it first and sleeps for a second.)"""
        os._exit(exitcode if exitcode is not None else EX_OK)


class PromptSupervisor(Supervisor):  # type: ignore[misc]
    """Replaces dead children; waits for deaths rather than looking for them."""

    def body(self) -> None:
        """Until the pool closes."""
        while self._state == RUN and self.pool._state == RUN:
            self.pool._maintain_pool()
            wait(self.pool.process_sentinels, _LOOK)


class SturdyPool(Pool):  # type: ignore[misc]
    """The pool itself."""

    Worker = ChildWorker
    Supervisor = PromptSupervisor

    def _setup_queues(self) -> None:
        self._inqueue = PacketQueue()
        self._outqueue = PacketQueue()
        self._quick_put = self._inqueue.put
        self._quick_get = self._outqueue.get
        self._poll_result = self._outqueue.poll


class ChildPool(TaskPool):  # type: ignore[misc]
    """The pool as Celery sees it."""

    BlockingPool = SturdyPool

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Have deaths reported to the worker of this process."""
        super().__init__(*arguments, **options, on_process_down=worker_process().losses.note)
