"""What an attempt writes, each write under its hold on the run; the only place here that calls operations.

While the database is away a write waits: what an action has done is not thrown away because of a restart. An attempt
that has lost its run leaves user code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from keystroke.domain.lease import Lease
from keystroke.domain.payload import Json
from keystroke.domain.step import Step, StepStatus
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem
from keystroke.errors import DatabaseUnavailable, LeaseLost
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.unwinding import Unwind
from keystroke.operations.admit_run import admit_run
from keystroke.operations.read_journal import read_journal
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_step import note_running_steps, record_step
from keystroke.operations.record_tags import record_tags
from keystroke.operations.record_trace import record_trace
from keystroke.operations.record_usage import record_usage
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

    def read_journal(self) -> list[Step]:
        """What earlier attempts recorded."""
        return self._patiently(lambda: read_journal(self._database, self._lease))

    def admit(self, value: Json) -> None:
        """Record the validated input. Raises PayloadTooLarge."""
        self._patiently(lambda: admit_run(self._database, self._lease, value, self._settings))

    def record(self, step: Step, usage: Sequence[UsageItem] = ()) -> None:
        """Record a step with the usage of this try. Raises PayloadTooLarge, NotJson."""
        self._once(step, lambda: record_step(self._database, self._lease, step, self._settings, usage))

    def record_usage(self, call: Step, items: Sequence[UsageItem]) -> None:
        """Record usage outside of a step, as a call of its own."""
        self._once(call, lambda: record_usage(self._database, self._lease, call, items, self._settings))

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

    def _once(self, step: Step, write: Callable[[], None]) -> None:
        """Write a record that may have been committed although the database did not answer any more."""
        try:
            self._waiting(write)
        except _LostAfterWaiting as lost:
            if not self._is_ours(step):
                self._unwind.leave(lost.error)
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

    def _is_ours(self, step: Step) -> bool:
        recorded = {each.identity: each for each in self.read_journal()}.get(step.identity)
        return (
            recorded is not None
            and recorded.status in (StepStatus.SUCCESS, StepStatus.FAILED)
            and (recorded.digest, recorded.finished_at) == (step.digest, step.finished_at)
        )


class _LostAfterWaiting(Exception):
    """The record was refused after the database had been away: the write before may have reached it."""

    def __init__(self, error: LeaseLost) -> None:
        super().__init__(str(error))
        self.error = error
