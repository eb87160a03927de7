"""The life of a step that is not on record: tries, pauses between them, and one final record.

Each failed try is recorded, so that a crash or a suspension goes on with the next one. The result or the failure is
recorded, committed, before the code after it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

from keystroke.authoring.exceptions import Fatal
from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepStatus, StepTry
from keystroke.domain.usage import UsageItem
from keystroke.errors import InvalidValue, NotJson, PayloadTooLarge
from keystroke.execution.bodies import Raised, Rest, Returned, Story, Try, Wait
from keystroke.execution.calls import StepCall
from keystroke.execution.current_step import CurrentStep
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.ledger import Ledger
from keystroke.execution.rebuilding import rebuild, take_apart
from keystroke.execution.running_steps import RunningSteps
from keystroke.execution.spans import AttemptTrace, new_span_id
from keystroke.execution.unwinding import Pause, Unwind, is_unwinding

#: Pauses up to this are waited for in place; longer ones suspend the run and free the worker.
LONGEST_WAIT_IN_PLACE: Final = timedelta(seconds=3)
#: Failed tries kept with a step: the last ones.
_TRIES_KEPT: Final = 50
_UNRECORDABLE: Final = (InvalidValue, NotJson, PayloadTooLarge)


@dataclass(frozen=True, slots=True)
class StepDoors:
    """What a step needs of its attempt."""

    ledger: Ledger
    unwind: Unwind
    gate: Gate
    trace: AttemptTrace
    running: RunningSteps
    box: Box | None
    directory: Path
    modules: frozenset[str]
    clock: Callable[[], datetime]
    jitter: Callable[[], float]


class StepRun:
    """One step that this attempt executes; `done` is what is on record of its failed tries."""

    def __init__(self, doors: StepDoors, call: StepCall, done: Step | None) -> None:
        """Begin with the first try, or go on after those on record."""
        self._doors = doors
        self._call = call
        self._began = doors.clock()
        self._span_id = new_span_id()
        self._number = done.attempt + 1 if done else 1
        self._tries = done.tries if done else ()
        self._due = done.due_at if done else None
        self._shown = Step(
            call.identity, call.action.key, call.action.name, call.kind, StepStatus.RUNNING, self._number,
            call.digest, done.started_at if done else self._began, input=call.input,
            now=call.branch.now or (done.now if done else None),
        )  # fmt: skip

    def story(self) -> Story[Any]:
        """Try until there is a result or no further try; gives the result, or raises what the step failed with."""
        while True:
            yield from self._wait()
            began = self._doors.clock()
            step = CurrentStep(self._call.identity, self._span_id)
            self._doors.running.add(self._shown)
            try:
                ended = yield Try(self._call, step)
            finally:
                self._doors.running.remove(self._call.identity)
            crash_point("step-executed")
            if isinstance(ended, Returned):
                ended = self._succeed(ended, step.usage)
                if isinstance(ended, Returned):
                    return ended.value
            if isinstance(ended, Raised):
                self._after_failure(ended.error, began, step.usage)

    def _wait(self) -> Story[None]:
        """Respect the time at which the next try is due, in place or by suspending the run."""
        if self._due is None:
            return
        # Another host may have written it by a clock that is ahead: never wait longer than the pause may be.
        bound = self._call.action.backoff.bound(max(self._number - 1, 1))
        left = min(self._due - self._doors.clock(), bound)
        if left <= timedelta(0):
            return
        if left <= LONGEST_WAIT_IN_PLACE:
            yield Rest(left.total_seconds())
            return
        yield Wait(Pause(Reason.RETRY_BACKOFF, self._doors.clock() + left))

    def _succeed(self, ended: Returned, usage: Sequence[UsageItem]) -> Returned | Raised:
        """Record the result; a result that cannot be recorded is a failure of the step."""
        action = self._call.action
        try:
            result = action.result.record(ended.value, f"result of {action.name}", self._doors.box)
        except Exception as error:  # noqa: BLE001 - the author's validators and serializers run in there
            return Raised(error)
        try:
            self._record(StepStatus.SUCCESS, usage, finished_at=self._doors.clock(), output=result.payload)
        except (NotJson, PayloadTooLarge) as error:
            return Raised(error)
        return Returned(result.value)

    def _after_failure(self, error: BaseException, began: datetime, usage: Sequence[UsageItem]) -> None:
        """Record the failed try and when the next one is due; raises what the step failed with if there is none."""
        if isinstance(error, asyncio.CancelledError) or is_unwinding(error):
            self._leave(error, usage)
        recorded = take_apart(error, self._doors.directory, self._call.identity)
        pause = self._pause_after(error)
        finished = self._doors.clock()
        if pause is None:
            self._fail(recorded, finished, usage)
        failed = StepTry(self._number, {**recorded, "retryable": True}, began, finished)
        self._tries = (*self._tries, failed)[-_TRIES_KEPT:]
        self._due = finished + pause
        self._record(StepStatus.RETRYING, usage, due_at=self._due)
        self._number += 1
        self._shown = replace(self._shown, attempt=self._number)

    def _fail(self, recorded: dict[str, Any], finished: datetime, usage: Sequence[UsageItem]) -> NoReturn:
        self._record(StepStatus.FAILED, usage, finished_at=finished, error=recorded)
        raise rebuild(recorded, self._doors.modules) from None

    def _leave(self, error: BaseException, usage: Sequence[UsageItem]) -> NoReturn:
        """The body was interrupted. It is on record only where the run is canceled: nothing replays that."""
        if self._doors.gate.interruption is Interruption.CANCEL and not is_unwinding(error):
            recorded = take_apart(error, self._doors.directory, self._call.identity)
            self._record(StepStatus.FAILED, usage, finished_at=self._doors.clock(), error=recorded)
        raise error

    def _pause_after(self, error: BaseException) -> timedelta | None:
        """How long to wait for the next try; None where there is none."""
        action = self._call.action
        retryable = isinstance(error, action.retry_on or Exception) and not isinstance(
            error, (Fatal, *_UNRECORDABLE)
        )
        if not retryable or not isinstance(error, Exception) or self._number > action.retries:
            return None
        pause = action.backoff.pause(self._number, self._doors.jitter())
        if self._doors.gate.interruption is Interruption.CANCEL and pause > LONGEST_WAIT_IN_PLACE:
            return None
        return pause

    def _record(self, status: StepStatus, usage: Sequence[UsageItem], **changes: Any) -> None:
        items = [replace(item, step=self._call.identity) for item in usage]
        self._doors.ledger.record(replace(self._shown, status=status, tries=self._tries, **changes), items)
        self._call.branch.note_record(self._shown.now)
        ok = status is StepStatus.SUCCESS
        attributes = {"keystroke.try": self._number, "keystroke.status": status.value}
        self._doors.trace.end_step(
            self._span_id, self._call.identity, self._began, ok=ok, attributes=attributes
        )
        self._span_id, self._began = new_span_id(), self._doors.clock()
        self._doors.unwind.leave_if_failed()
