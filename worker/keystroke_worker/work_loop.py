"""What a child does when it is woken: claim, attempt, finish and claim the next, until none is left."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from keystroke.authoring.project import LoadedProject
from keystroke.box import Box
from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke.domain.lease import AnyLease, Claimant
from keystroke.domain.source import attachment_id
from keystroke.domain.states import Status
from keystroke.errors import DatabaseUnavailable
from keystroke.execution.world import World
from keystroke.operations.claim_run import claim_run
from keystroke.operations.finish_attempt import Finished
from keystroke.telemetry import announce
from keystroke.telemetry.context import bound
from keystroke.telemetry.events import AttemptBroken, LeaseWasLost
from keystroke.telemetry.outage import Outage
from keystroke_worker.errands import RunErrand, TickErrand, errand_of
from keystroke_worker.interrupts import Interrupts
from keystroke_worker.memory import resident_mib
from keystroke_worker.slots import Attempt, Slot
from keystroke_worker.surroundings import Surroundings

if TYPE_CHECKING:
    from keystroke_worker.worker_process import WorkerProcess

_MOST_RUNS: Final = 500
_LONGEST: Final = 600.0
_RETRY: Final = 0.5
_BROKEN: Final = 70


def _transforms(project: LoadedProject) -> list[str]:
    """The ids of the attachments that have one."""
    return [
        attachment_id(source.slug, each.workflow.slug)
        for source in project.sources.values()
        for each in source.attachments
        if each.transform is not None
    ]


class WorkLoop:
    """The loop of one child. Whatever it holds in the database is in its slot, so that its death is noticed."""

    def __init__(
        self,
        worker: WorkerProcess,
        slot: Slot,
        interrupts: Interrupts,
        *,
        wakeups: Wakeups,
        control: Control,
        box: Box,
    ) -> None:
        """Nothing has been done yet."""
        self._worker = worker
        self._slot = slot
        self._interrupts = interrupts
        self._wakeups = wakeups
        self._control = control
        self._box = box
        self._world = World(worker.settings, wakeups.wake)
        self._outage = Outage.of_database()
        self._surroundings = Surroundings()
        self._workflows = (*worker.project.workflows, *_transforms(worker.project))
        self._polls = tuple(each.slug for each in worker.project.sources.values() if each.kind == "poll")
        self._runs = 0
        self._until = 0.0
        self.spent = False

    def work(self) -> None:
        """Claim and execute until nothing is left, the worker drains, or the child is spent."""
        self._slot.set_working(True)
        self._until = time.monotonic() + _LONGEST
        try:
            self._wakeups.clear(self._worker.project_id, self._worker.queues)
            lease = self._claim()
            while lease is not None:
                lease = self._execute(lease)
        finally:
            self._slot.set_working(False)
        if self.spent and not self._worker.slots.draining:
            self._wake_successors()

    def _claim(self) -> AnyLease | None:
        if self._worker.slots.draining:
            return None
        try:
            with self._slot.held():
                lease = claim_run(self._worker.database, self._claimant())
                self._take(lease)
        except DatabaseUnavailable as error:
            # The main process looks for work every second, and wakes a child once the database is back.
            self._outage.failed(error)
            return None
        self._outage.answered()
        return lease

    def _claimant(self) -> Claimant:
        worker = self._worker
        return Claimant(
            worker.slots.worker_id, worker.project_id, worker.deployment_id, worker.queues, self._slot.index,
            self._workflows, self._polls,
        )  # fmt: skip

    def _take(self, lease: AnyLease | None) -> None:
        """Note in the slot what is executed from now on, and have a sibling look for what else waits."""
        if lease is None:
            self._slot.publish(None)
            return
        left = None if lease.timeout is None else (lease.timeout - lease.active).total_seconds()
        self._slot.publish(Attempt(lease.id, lease.attempt), left)
        if lease.more:
            self._wakeups.wake(lease.project_id, lease.queue)

    def _execute(self, lease: AnyLease) -> AnyLease | None:
        """One attempt, from its lease to the next lease."""
        errand = errand_of(self._worker, self._box, self._world, lease)
        errand.begin()
        try:
            with bound(run_id=lease.id, trace_id=lease.trace_id):
                self._attempt(lease, errand)
                self._runs += 1
                finished = self._finish(errand)
                self._report(lease, errand, finished)
        except BaseException as error:
            self._break_down(lease, error)
            raise
        return self._claim() if finished.next is None and finished.again else finished.next

    def _attempt(self, lease: AnyLease, errand: RunErrand | TickErrand) -> None:
        gate = self._interrupts.begin(lease)
        try:
            errand.execute(gate)
        finally:
            gate.leave_user_code()
            self._interrupts.end()
            self._slot.lift_limit()
            self._surroundings.restore()

    def _break_down(self, lease: AnyLease, error: BaseException) -> None:
        """Die, so that the run is recovered within its budget, and a person is told as far as that is possible.

        It is a mistake of the platform's own, or user code has closed what the platform needs. A child that lived on
        would keep a run in its slot that nobody executes.
        """
        try:
            announce(AttemptBroken(run_id=lease.id, attempt=lease.attempt), error=error)
        finally:
            os._exit(_BROKEN)

    def _finish(self, errand: RunErrand | TickErrand) -> Finished:
        """Record the outcome, however long the database is away; the claim that goes along is given up at once."""
        claimant = self._next_claimant()
        while True:
            try:
                with self._slot.held():
                    finished = errand.finish(claimant)
                    self._take(finished.next)
            except DatabaseUnavailable as error:
                self._outage.failed(error)
                claimant = None
                time.sleep(_RETRY)
            else:
                self._outage.answered()
                return finished

    def _next_claimant(self) -> Claimant | None:
        self.spent = self._is_spent()
        return None if self.spent or self._worker.slots.draining else self._claimant()

    def _is_spent(self) -> bool:
        return (
            self._runs >= _MOST_RUNS
            or time.monotonic() > self._until
            or resident_mib(os.getpid()) > self._worker.settings.child_memory
        )

    def _report(self, lease: AnyLease, errand: RunErrand | TickErrand, finished: Finished) -> None:
        if finished.status is None:
            announce(LeaseWasLost(run_id=lease.id, attempt=lease.attempt))
            return
        errand.report(finished.status.value)
        if finished.status is Status.QUEUED:
            self._wakeups.wake(lease.project_id, lease.queue)
        self._wakeups.wake_all(finished.woken)
        for each in finished.canceled:
            if each.status is Status.RUNNING:
                self._control.cancel(each.worker_id, each.run_id, each.attempt)

    def _wake_successors(self) -> None:
        """There may be more: have another child look, which costs nothing where there is not."""
        for queue in self._worker.queues:
            self._wakeups.wake(self._worker.project_id, queue)
