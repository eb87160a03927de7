"""The cascade of a cancel: children end with their parent, theirs with them, each in a transaction of its own.

Whoever cancels a run goes on with its children at once; a round of beat finds what was left, since a canceled run keeps a
mark in its row until all of its children have been told.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import SYSTEM, Actor
from keystroke.domain.states import Reason
from keystroke.operations.canceling import CancelRequested, cancel_within
from keystroke.settings import Settings
from keystroke.store import Database, children

#: Runs that one call cancels at most: somebody may wait for its answer.
MOST: Final = 200


def cancel_children(
    database: Database, run_id: str, actor: Actor, settings: Settings, most: int = MOST
) -> list[CancelRequested]:
    """Cancel the children of a run that is canceled, or about to be, all the way down; at most so many runs.

    Detached children, and what they have started, go on. Tell the workers of those that are running, and wake the queues
    that the others name.
    """
    canceled: list[CancelRequested] = []
    pending = deque([run_id])
    while pending and len(canceled) < most:
        parent = pending.popleft()
        with database.read() as tx:
            ending = children.ending_with(tx, parent, most - len(canceled))
        for child in ending:
            with database.transaction() as tx:
                requested = cancel_within(tx, child, actor, Reason.CANCELED_BY_PARENT, settings)
                crash_point("child-canceling")
            crash_point("child-canceled")
            if requested is not None:
                canceled.append(requested)
                pending.append(child)
        with database.transaction() as tx:
            children.note_cascaded(tx, parent)
    return canceled


def sweep_canceled(database: Database, settings: Settings, limit: int = 100) -> list[CancelRequested]:
    """Cancel the children of canceled runs that were left: who canceled died, or something else was canceled instead."""
    with database.read() as tx:
        marked = children.cascading(tx, limit)
    return [each for run_id in marked for each in cancel_children(database, run_id, SYSTEM, settings)]
