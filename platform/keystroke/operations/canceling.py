"""How a run is canceled inside a transaction: at once where it rests, by request where it runs."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.domain.actor import Actor
from keystroke.domain.states import CANCEL_AT_REST, Reason, Status
from keystroke.operations.moving import default_retention, move_run
from keystroke.settings import Settings
from keystroke.store import Tx, cancels


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """What the cancel did: `status` after it is canceled, or running while `attempt` on `worker_id` has yet to let go.

    Wake the queues in `woken`, (project id, queue): other runs may go on because of this.
    """

    run_id: str
    project_id: str
    status: Status
    worker_id: str | None
    attempt: int
    woken: tuple[tuple[str, str], ...] = ()


def cancel_within(
    tx: Tx, run_id: str, actor: Actor, reason: Reason, settings: Settings
) -> CancelRequested | None:
    """Cancel a run for a reason, in the caller's transaction; None when it has ended already.

    Where the run is running, the reason stands in the request, and the run ends with it.
    """
    # A run may begin, suspend or end between two looks at it; each look is a guarded update, and one of them wins.
    for _ in range(3):
        changes = default_retention(settings)
        moved = move_run(tx, CANCEL_AT_REST, run_id, actor=actor, reason=reason, changes=changes)
        if moved is not None:
            return CancelRequested(run_id, moved.project_id, moved.status, None, moved.attempt, moved.woken)
        asked = cancels.request_cancel(tx, run_id, actor, reason)
        if asked is not None:
            return CancelRequested(run_id, asked.project_id, Status.RUNNING, asked.worker_id, asked.attempt)
    return None
