"""From how the workflow's function ended to the attempt's one outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from keystroke.authoring.exceptions import Fatal, HookTimeout
from keystroke.authoring.workflow import Workflow
from keystroke.box import Box
from keystroke.domain.failure import Failure
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Canceled, Completed, Failed, HandedBack, Outcome, Suspended
from keystroke.domain.payload import encode_payload
from keystroke.domain.states import Reason
from keystroke.errors import DatabaseUnavailable, LeaseLost, SuspensionSwallowed
from keystroke.execution.bodies import Raised, TryEnd
from keystroke.execution.failures import describe, essence, user_frames
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.unwinding import Pause, Unwind, is_unwinding


def fail(
    error: BaseException, reason: Reason, lease: Lease, directory: Path, *, counts: bool = True
) -> Failed:
    """A failure of the run; `retryable` says whether another attempt follows."""
    failure = describe(error, directory, reason=reason)
    return Failed(
        replace(failure, retryable=counts and lease.failures + 1 < lease.max_attempts), reason, counts
    )


def complete(
    workflow: Workflow[..., Any], value: Any, lease: Lease, directory: Path, box: Box | None, limit: int
) -> Outcome:
    """The function returned: its validated output, or why that is none."""
    try:
        output = workflow.output.dump(value, f"output of {workflow.slug}", box)
        encode_payload(output, what=f"output of {workflow.slug}", limit=limit)
    except Exception as error:  # noqa: BLE001 - the author's validators and serializers run in there
        return fail(error, Reason.INVALID_OUTPUT, lease, directory)
    return Completed(output)


def left_early(
    ended: TryEnd, unwind: Unwind, gate: Gate, clock_now: datetime, directory: Path
) -> Outcome | None:
    """The outcome where user code was left before it had ended; None where it ended by itself.

    Raises LeaseLost or DatabaseUnavailable where there is nothing that could be recorded.
    """
    cause = unwind.cause
    if isinstance(cause, LeaseLost | DatabaseUnavailable):
        raise cause
    if gate.interruption is Interruption.CANCEL:
        return Canceled()
    if isinstance(cause, Failed):
        return cause
    if gate.interruption is Interruption.TIMEOUT:
        return unwind.limit.failure()
    if isinstance(cause, HandedBack) or gate.interruption is Interruption.DRAIN:
        return HandedBack()
    if cause is None:
        return None
    if isinstance(ended, Raised) and is_unwinding(ended.error):
        delay = None if cause.due is None else max(cause.due - clock_now, timedelta(0))
        return Suspended(cause.reason, delay, cause.hooks, cause.children)
    return _swallowed(cause, unwind, directory)


def ended_in_error(error: BaseException, lease: Lease, directory: Path) -> Failed:
    """The function raised; Fatal says that no further attempt could help."""
    error = essence(error)
    if isinstance(error, HookTimeout):
        # Every further attempt would be told the same.
        return fail(error, Reason.HOOK_TIMEOUT, lease, directory, counts=False)
    return fail(error, Reason.USER_ERROR, lease, directory, counts=not isinstance(error, Fatal))


def _swallowed(pause: Pause, unwind: Unwind, directory: Path) -> Failed:
    """The exception's traceback ends where it was caught: that line is named."""
    frames = user_frames(unwind.last.__traceback__ if unwind.last else None, directory)
    place = f"{frames[0].path}:{frames[0].line}" if frames else "an unknown place"
    error = SuspensionSwallowed(reason=pause.reason, place=place)
    failure = Failure(type(error).__name__, str(error), Reason.SUSPENSION_SWALLOWED, frames)
    return Failed(failure, Reason.SUSPENSION_SWALLOWED, counts=False)
