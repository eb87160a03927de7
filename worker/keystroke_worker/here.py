"""Where we are: the worker that this process is, or is a child of. Children get all of it by the fork.

Celery makes its pool, its children and its tasks itself, and leaves no way to hand them anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keystroke_worker.child import Child
    from keystroke_worker.worker_process import WorkerProcess

_worker: WorkerProcess | None = None
_child: Child | None = None


def begin_worker(worker: WorkerProcess) -> None:
    """This process is this worker's main process."""
    global _worker  # noqa: PLW0603 - one worker per process, as Celery has it
    _worker = worker


def worker_process() -> WorkerProcess:
    """The worker of this process."""
    if _worker is None:
        raise RuntimeError("this process is no worker: start one with `keystroke worker`")
    return _worker


def child_of_worker(index: int) -> None:
    """This process is a fresh child of the worker, the one at this place in the pool."""
    from keystroke_worker.child import Child

    global _child  # noqa: PLW0603 - likewise
    _child = Child(worker_process(), index)


def current_child() -> Child:
    """The child that this process is."""
    if _child is None:
        raise RuntimeError("this process is no child of a worker")
    return _child
