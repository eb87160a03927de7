"""Cancel a tick of a poll: at once where it waits, by request where a worker executes it."""

from __future__ import annotations

import json

from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor
from keystroke.domain.failure import Failure
from keystroke.domain.scope import Scope
from keystroke.domain.states import Reason
from keystroke.errors import TickCanceled
from keystroke.store import Database, access, tick_claims
from keystroke.store.tick_claims import AskedTick


def cancel_tick(database: Database, scope: Scope, actor: Actor, tick_id: str) -> AskedTick | None:
    """Cancel, audited; None where the tick has ended. Of one that a worker executes the caller tells that worker.

    Asking again while a cancel is on its way is harmless. Nothing of a canceled tick counts: neither state nor runs, nor as
    a failure of its poll.
    """
    error = TickCanceled()
    text = json.dumps(Failure(type(error).__name__, str(error), Reason.CANCELED_BY_USER).as_json())
    with database.transaction() as tx:
        # It may be claimed between the two looks; then the second finds it running.
        asked = tick_claims.end_queued(tx, tick_id, text) or tick_claims.request_cancel(tx, tick_id)
        if asked is not None:
            access.audit(tx, scope.organization_id, actor, "tick.cancel", tick_id)
        crash_point("tick-canceling")
    crash_point("tick-canceled")
    return asked
