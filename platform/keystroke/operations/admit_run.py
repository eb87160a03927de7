"""Admit a run: its first attempt has made or validated the input, and that is the input from now on.

All that is admitted later than its start comes by here. Without limits the attempt goes on (`admit_run`). With some it ends, and
the run is queued again under their keys (`Admission`, a part of `finish_attempt`): so it waits for its turn as if it had been
started with its input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keystroke.crashpoints import crash_point
from keystroke.domain.keys import RunLimits
from keystroke.domain.lease import Lease
from keystroke.domain.payload import encode_payload
from keystroke.errors import LeaseLost
from keystroke.operations.admission import Ticket, admit, reserve, ticket_of
from keystroke.operations.canceling import CancelRequested
from keystroke.settings import Settings
from keystroke.store import Database, Tx, claims
from keystroke.store.runs import Moved


def admit_run(database: Database, lease: Lease, value: Any, settings: Settings) -> None:
    """Record the validated input with its defaults filled. Raises LeaseLost, PayloadTooLarge."""
    text = encode_payload(value, what="input", limit=settings.payload_limit)
    with database.transaction() as tx:
        if not claims.admit(tx, lease.run_id, lease.attempt, text):
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        crash_point("run-admitting")
    crash_point("run-admitted")


@dataclass(frozen=True, slots=True)
class Admission:
    """What admits a run under its limits: the canonical text of its input, and the keys."""

    input_text: str
    limits: RunLimits

    def reserve(self, tx: Tx, project_id: str) -> None:
        """Take the locks that come before any row, in the order in which starts take them.

        The run itself has no key yet, so nobody who holds one of these waits for its row.
        """
        ticket = self._ticket
        reserve(tx, project_id, [] if ticket is None else [ticket])

    def admit(self, tx: Tx, moved: Moved, settings: Settings) -> tuple[Moved, tuple[CancelRequested, ...]]:
        """Give a run that this transaction has put back to the queue its input and keys, and decide by `skip` or `replace`.

        The status of the result is the run's by then; `woken` names the queues in which others may go on. Beside it the runs
        that were canceled: tell the workers of those that are running.
        """
        claims.admit_limited(tx, moved.run_id, self.input_text, self.limits)
        ticket = self._ticket
        if ticket is None:
            return moved, ()
        admitted = admit(tx, moved.project_id, moved.run_id, ticket, settings)
        woken = tuple(queue for each in admitted.canceled for queue in each.woken)
        return replace(moved, status=admitted.status, woken=woken), admitted.canceled

    @property
    def _ticket(self) -> Ticket | None:
        return ticket_of(self.limits)
