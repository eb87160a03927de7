"""What a child does with a lease: a run's attempt or a tick's, each executed, recorded and told of in its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from keystroke.box import Box
from keystroke.domain.lease import AnyLease, Claimant, Lease, TickLease
from keystroke.domain.outcome import HandedBack
from keystroke.domain.tick import GIVEN_BACK
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.execution.attempt import AttemptResult, run_attempt
from keystroke.execution.gate import Gate
from keystroke.execution.tick import run_tick
from keystroke.execution.world import World
from keystroke.operations.finish_attempt import Finished, finish_attempt
from keystroke.operations.record_poll import finish_tick
from keystroke.telemetry import announce
from keystroke.telemetry.events import RunClaimed, RunFinished, TickClaimed, TickFinished

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

LeaseT = TypeVar("LeaseT", bound=AnyLease)


class Errand(ABC, Generic[LeaseT]):
    """A lease and what is to be done with it, in this order: `begin`, `execute`, `finish`, `report`."""

    def __init__(self, worker: WorkerProcess, box: Box, world: World, lease: LeaseT) -> None:
        """Of this child's worker."""
        self._worker = worker
        self._box = box
        self._world = world
        self._lease = lease

    @abstractmethod
    def begin(self) -> None:
        """Say what was claimed."""

    @abstractmethod
    def execute(self, gate: Gate) -> None:
        """Execute it, up to its result."""

    @abstractmethod
    def finish(self, claimant: Claimant | None) -> Finished:
        """Record the result, and claim the next; raises DatabaseUnavailable, and may be called again."""

    @abstractmethod
    def report(self, status: str) -> None:
        """Say how it ended."""


class RunErrand(Errand[Lease]):
    """One attempt of a run."""

    _result = AttemptResult(HandedBack(), timedelta())

    def begin(self) -> None:
        """See Errand."""
        lease = self._lease
        announce(RunClaimed(run_id=lease.run_id, attempt=lease.attempt, workflow=lease.workflow))

    def execute(self, gate: Gate) -> None:
        """See Errand."""
        worker = self._worker
        try:
            self._result = run_attempt(
                worker.database, worker.project, self._lease, gate, worker.settings, self._box, self._world, defers=True
            )  # fmt: skip
        except (LeaseLost, DatabaseUnavailable):
            # What was recorded is recorded; whoever has the run, or gets it next, goes on from there.
            return

    def finish(self, claimant: Claimant | None) -> Finished:
        """See Errand."""
        result, worker = self._result, self._worker
        return finish_attempt(
            worker.database, self._lease, result.outcome, result.active, worker.settings, claimant, last=result.last
        )  # fmt: skip

    def report(self, status: str) -> None:
        """See Errand."""
        lease = self._lease
        announce(
            RunFinished(run_id=lease.run_id, attempt=lease.attempt, workflow=lease.workflow, status=status)
        )


class TickErrand(Errand[TickLease]):
    """One attempt of a tick of a poll."""

    _result = GIVEN_BACK

    def begin(self) -> None:
        """See Errand."""
        lease = self._lease
        announce(TickClaimed(tick_id=lease.tick_id, attempt=lease.attempt, source=lease.source))

    def execute(self, gate: Gate) -> None:
        """See Errand."""
        worker = self._worker
        try:
            self._result = run_tick(
                worker.database, worker.project, self._lease, gate, worker.settings, self._box, self._world
            )
        except DatabaseUnavailable:
            return

    def finish(self, claimant: Claimant | None) -> Finished:
        """See Errand."""
        worker = self._worker
        return finish_tick(worker.database, self._lease, self._result, worker.settings, self._box, claimant)

    def report(self, status: str) -> None:
        """See Errand."""
        lease = self._lease
        announce(
            TickFinished(tick_id=lease.tick_id, attempt=lease.attempt, source=lease.source, status=status)
        )


def errand_of(worker: WorkerProcess, box: Box, world: World, lease: AnyLease) -> RunErrand | TickErrand:
    """What is to be done with this lease."""
    if isinstance(lease, TickLease):
        return TickErrand(worker, box, world, lease)
    return RunErrand(worker, box, world, lease)
