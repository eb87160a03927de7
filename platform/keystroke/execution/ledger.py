"""What an attempt writes, each write under its hold on the run; the only place here that calls operations.

While the database is away a write waits: what an action has done is not thrown away because of a restart. An attempt
that has lost its run leaves user code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from keystroke.box import Box
from keystroke.domain.bounds import beyond_budget
from keystroke.domain.child import ChildEnd
from keystroke.domain.delivery import Delivery
from keystroke.domain.failure import Failure
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Failed
from keystroke.domain.payload import Json
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepRecord
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import Cost, UsageItem
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.execution.failures import message_of, type_name
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.step_group import StepGroup
from keystroke.execution.unwinding import Unwind
from keystroke.operations.admit_run import admit_run
from keystroke.operations.create_hook import HookRequest, create_hook
from keystroke.operations.read_cost import read_cost
from keystroke.operations.read_delivery import read_delivery
from keystroke.operations.read_journal import read_journal
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_sleep import begin_sleep, end_sleep
from keystroke.operations.record_step import as_record, note_running_steps, record_step, record_steps
from keystroke.operations.record_tags import record_tags
from keystroke.operations.record_trace import record_trace
from keystroke.operations.record_usage import record_usage
from keystroke.operations.settle_children import read_ends, settle_children
from keystroke.operations.settle_hook import Settled, settle_hook
from keystroke.operations.start_child import ChildRequest, ChildStarted, start_child
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.telemetry import announce
from keystroke.telemetry.events import DatabaseAway, DatabaseBack

#: Seconds between tries while the database is away: the first, and the longest.
_SOON: Final = 0.05
_LATER: Final = 2.0

T = TypeVar("T")


class Ledger:
    """The records of one attempt. Its writes raise Unwinding where the attempt cannot go on."""

    def __init__(
        self, database: Database, lease: Lease, settings: Settings, gate: Gate, unwind: Unwind
    ) -> None:
        """Nothing is read or written yet."""
        self._database = database
        self._lease = lease
        self._settings = settings
        self._gate = gate
        self._unwind = unwind
        self._group: StepGroup | None = None

    def relax(self) -> None:
        """From now on results of actions are written in groups, a little behind; everything else stays in its order."""
        self._group = StepGroup(self._write_behind)

    def read_journal(self) -> list[Step]:
        """What earlier attempts recorded."""
        return self._patiently(lambda: read_journal(self._database, self._lease))

    def read_delivery(self) -> Delivery:
        """The delivery that started the run. Raises DeliveryNotFound."""
        return self._patiently(lambda: read_delivery(self._database, self._lease))

    def admit(self, value: Json) -> None:
        """Record the validated input. Raises PayloadTooLarge."""
        self._patiently(lambda: admit_run(self._database, self._lease, value, self._settings))

    def record(self, step: Step, usage: Sequence[UsageItem] = ()) -> None:
        """Record a step with the usage of this try. Raises PayloadTooLarge, NotJson.

        Where the usage goes beyond the run's budget, what comes next leaves user code.
        """
        counted = usage and self._lease.budget is not None
        if self._group is not None and step.kind is StepKind.ACTION and not counted:
            self._gather(self._group, as_record(step, usage, self._settings))
            return
        cost = self._once(step, lambda: record_step(self._database, self._lease, step, self._settings, usage))
        self._hold_budget(cost, step.identity)

    def record_usage(self, call: Step, items: Sequence[UsageItem]) -> None:
        """Record usage outside of a step, as a call of its own; see `record`."""
        cost = self._once(
            call, lambda: record_usage(self._database, self._lease, call, items, self._settings)
        )
        self._hold_budget(cost, None)

    def check_budget(self) -> None:
        """Leave where earlier attempts have spent more than the run may."""
        if self._lease.budget is not None:
            self._hold_budget(self._patiently(lambda: read_cost(self._database, self._lease.run_id)), None)
            self._unwind.leave_if_failed()

    def settle(self) -> None:
        """Write what has gathered: nothing is behind any more."""
        if self._group is not None:
            self._patiently(lambda: None)

    def take_rest(self) -> list[StepRecord]:
        """What has gathered, for the transaction in which the attempt ends. Settles what is in doubt."""
        group = self._group
        if group is None:
            return []
        with group.writing:
            if group.doubtful:
                self.settle()
            rest = list(group.next())
            group.written()
            return rest

    def begin_sleep(self, step: Step, duration: timedelta | None) -> timedelta | None:
        """Record that a sleep has begun; how long is left of it, None: it is over."""
        return self._patiently(
            lambda: begin_sleep(self._database, self._lease, step, duration, self._settings)
        )

    def end_sleep(self, step: Step) -> timedelta | None:
        """Record that a sleep is over, if it is; how long is left of it, None: it is over."""
        return self._patiently(lambda: end_sleep(self._database, self._lease, step))

    def create_hook(self, step: Step, request: HookRequest) -> Step:
        """Make a hook and record its step as begun; the step on record. Raises PayloadTooLarge."""
        return self._patiently(
            lambda: create_hook(self._database, self._lease, step, request, self._settings)
        )

    def settle_hook(self, expired: Step) -> Settled:
        """Look for the answer to a hook; `expired` is recorded where nobody answered in time."""
        return self._patiently(lambda: settle_hook(self._database, self._lease, expired, self._settings))

    def start_child(self, step: Step, request: ChildRequest, box: Box | None) -> ChildStarted:
        """Start a child and record its step as begun. Raises what refuses a start; then nothing was written."""
        return self._patiently(
            lambda: start_child(self._database, self._lease, step, request, self._settings, box)
        )

    def read_ends(self, run_ids: Sequence[str]) -> dict[str, ChildEnd]:
        """How those of the children ended that have."""
        return self._patiently(lambda: read_ends(self._database, run_ids))

    def settle_children(self, ended: Sequence[Step]) -> None:
        """Record the ends of children."""
        self._patiently(lambda: settle_children(self._database, self._lease, ended, self._settings))

    def record_tags(self, tags: Mapping[str, str]) -> None:
        """Replace the run's tags."""
        self._patiently(lambda: record_tags(self._database, self._lease, tags))

    # What follows is for display: the flusher writes it, and does not wait for the database.

    def show_progress(self, fraction: float | None, message: str | None) -> None:
        """Show how far the run says it is."""
        record_progress(self._database, self._lease, fraction, message)

    def show_running(self, steps: Sequence[Step]) -> None:
        """Show steps that take their time."""
        note_running_steps(self._database, self._lease, steps, self._settings)

    def show_trace(self, spans: Sequence[Span], lines: Sequence[LogLine]) -> None:
        """Append spans and log lines."""
        record_trace(self._database, self._lease, spans, lines, self._settings)

    def _gather(self, group: StepGroup, record: StepRecord) -> None:
        group.add(record)
        if group.is_full or group.doubtful:
            self.settle()

    def _write_group(self, group: StepGroup) -> None:
        """Write all groups, waiting for the database. Raises LeaseLost, or DatabaseUnavailable while the worker drains."""
        with group.writing:
            while records := group.next():
                self._write_or_wait(group, records)
                group.written()

    def _write_or_wait(self, group: StepGroup, records: Sequence[StepRecord]) -> None:
        try:
            self._until_answered(lambda: record_steps(self._database, self._lease, records))
        except (LeaseLost, _LostAfterWaiting) as lost:
            error = lost.error if isinstance(lost, _LostAfterWaiting) else lost
            in_doubt = group.doubtful or isinstance(lost, _LostAfterWaiting)
            last = {each.step.identity: each.step for each in records}
            if not (in_doubt and self._are_ours(list(last.values()))):
                raise error from lost
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: code must not go on upon results that cannot be recorded
            group.give_up()
            failure = Failure(type_name(type(error)), message_of(error), Reason.USER_ERROR)
            self._unwind.leave(Failed(failure, Reason.USER_ERROR, counts=False))

    def _write_behind(self) -> None:
        """The writer's thread: one try, if the attempt is not at it itself. What fails here fails the next durable call."""
        group = self._group
        if group is None or not group.writing.acquire(blocking=False):
            return
        try:
            records = group.next()
            if records:
                record_steps(self._database, self._lease, records)
                group.written()
        except LeaseLost as lost:
            if not group.doubtful:
                self._unwind.note(lost)
        except Exception:  # noqa: BLE001 - the group stays, and whoever writes it next raises this in the attempt
            group.doubtful = True
        finally:
            group.writing.release()

    def _hold_budget(self, cost: Cost | None, step: str | None) -> None:
        budget = self._lease.budget
        if cost is not None and budget is not None and cost.total > budget:
            failure = beyond_budget(cost.total, budget, cost.currency, step)
            self._unwind.note(Failed(failure, Reason.BUDGET_EXCEEDED, counts=False))

    def _once(self, step: Step, write: Callable[[], T]) -> T | None:
        """Write a record that may have been committed although the database did not answer any more."""
        try:
            return self._waiting(write)
        except _LostAfterWaiting as lost:
            if not self._are_ours([step]):
                self._unwind.leave(lost.error)
            return None
        except (LeaseLost, DatabaseUnavailable) as lost:
            self._unwind.leave(lost)

    def _patiently(self, call: Callable[[], T]) -> T:
        try:
            return self._waiting(call)
        except _LostAfterWaiting as lost:
            self._unwind.leave(lost.error)
        except (LeaseLost, DatabaseUnavailable) as lost:
            self._unwind.leave(lost)

    def _waiting(self, call: Callable[[], T]) -> T:
        """Call until the database answers, after what has gathered is written."""
        if self._group is not None:
            self._write_group(self._group)
        return self._until_answered(call)

    def _until_answered(self, call: Callable[[], T]) -> T:
        """Call until the database answers; a worker that drains gives up, the run is recovered elsewhere."""
        away_since: float | None = None
        pause = _SOON
        while True:
            try:
                result = call()
            except LeaseLost as error:
                if away_since is None:
                    raise
                raise _LostAfterWaiting(error) from error
            except DatabaseUnavailable as error:
                if self._gate.interruption is Interruption.DRAIN:
                    raise
                if away_since is None:
                    away_since = time.monotonic()
                    announce(DatabaseAway(why=str(error)))
                time.sleep(pause)
                pause = min(pause * 2, _LATER)
            else:
                if away_since is not None:
                    announce(DatabaseBack(away_seconds=round(time.monotonic() - away_since, 1)))
                return result

    def _are_ours(self, steps: Sequence[Step]) -> bool:
        """Whether these steps are on record as they are: then they were committed while the answer was lost."""
        journal = self._until_answered(lambda: read_journal(self._database, self._lease))
        recorded = {each.identity: each for each in journal}
        return all(_same(recorded.get(step.identity), step) for step in steps)


def _same(recorded: Step | None, step: Step) -> bool:
    return recorded is not None and (recorded.status, recorded.digest, recorded.attempt, recorded.finished_at) == (
        step.status, step.digest, step.attempt, step.finished_at,
    )  # fmt: skip


class _LostAfterWaiting(Exception):
    """The record was refused after the database had been away: the write before may have reached it."""

    def __init__(self, error: LeaseLost) -> None:
        super().__init__(str(error))
        self.error = error
