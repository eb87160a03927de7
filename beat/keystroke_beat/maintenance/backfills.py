"""Carry out backfills: all that go on in turn, a few times of each."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.box import Box
from keystroke.domain.states import Status
from keystroke.operations.carry_out_backfill import CarriedOut, carry_out_next
from keystroke.telemetry import announce
from keystroke.telemetry.events import BackfillCarriedOut
from keystroke_beat.maintenance.round import Means


@dataclass(frozen=True, slots=True)
class CarryOutBackfills:
    """In small transactions with pauses between them, so that neither the clock nor starts have to wait for a large one."""

    every: float = 0.2

    def run(self, means: Means) -> None:
        """One batch of each; those that another beat is at are passed over."""
        keys = means.settings.secret_key
        box = Box(keys) if keys else None
        after = ""
        while (done := carry_out_next(means.database, means.settings, box, after)) is not None:
            after = done.backfill.id
            _tell(means, done)


def _tell(means: Means, done: CarriedOut) -> None:
    for started in done.started:
        for canceled in started.canceled:
            if canceled.status is Status.RUNNING:
                means.control.cancel(canceled.worker_id, canceled.run_id, canceled.attempt)
    means.wakeups.wake_all({queue for started in done.started for queue in started.woken})
    backfill = done.backfill
    if backfill.status != "running":
        announce(
            BackfillCarriedOut(
                backfill_id=backfill.id, trigger=backfill.trigger, status=backfill.status, fired=backfill.fired,
                total=backfill.total,
            )
        )  # fmt: skip
