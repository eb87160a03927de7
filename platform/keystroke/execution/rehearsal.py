"""A rehearsal: a recorded run is executed again by today's code, up to the first call that is not on record.

No action's body runs and nothing is written: where an attempt would begin a step, or write, a rehearsal leaves user code.
The code between the steps does run, as at every replay.
"""

from __future__ import annotations

import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from keystroke.authoring.project import LoadedProject
from keystroke.authoring.workflow import Workflow
from keystroke.box import Box
from keystroke.domain.actor import SYSTEM
from keystroke.domain.child import ChildEnd
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Failed, Outcome, Suspended
from keystroke.domain.payload import Json
from keystroke.domain.recorded_run import RecordedRun
from keystroke.domain.secrets import open_sealed
from keystroke.domain.states import Reason
from keystroke.domain.step import RESERVED_KEYS, Step, StepKind, StepStatus
from keystroke.errors import SecretUnreadable
from keystroke.execution.attempt import Attempt
from keystroke.execution.bodies import Ask, Bodies, Settle, TryEnd, Turn
from keystroke.execution.boundary import Boundary
from keystroke.execution.branches import current_branch
from keystroke.execution.gate import Gate, QuietGate
from keystroke.execution.journal import Journal
from keystroke.execution.ledger import Ledger
from keystroke.execution.spans import AttemptTrace
from keystroke.execution.unwinding import Cause, Pause, Unwind
from keystroke.execution.world import World
from keystroke.settings import Settings

#: How a rehearsal leaves a branch of user code: nobody reads the reason.
_STOP = Pause(Reason.SLEEP)
#: Failures that say by themselves that the code and the record are not of one kind.
_MISFITS = (Reason.NONDETERMINISM, Reason.INVALID_INPUT)

#: Such a run would go on and do the work again, under the new name.
_RENAMED = (
    "the code asks for something new before it comes by {step}, and has no action {action} any more: under another name it "
    'would be executed again (`@action("{action}")` keeps the old one)'
)


@dataclass(frozen=True, slots=True)
class Matches:
    """Every recorded step that the code came by is what the code asks for now.

    `outcome`: how the code ended; None where it came to a call that is not on record. `unused`: recorded steps that it did
    not come by, because it has changed or because they come later.
    """

    outcome: Outcome | None
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The run would fail with this code, or execute again what it has done: why, and at which step where there is one."""

    message: str
    step: str | None = None


def rehearse(
    project: LoadedProject, recorded: RecordedRun, box: Box | None, settings: Settings | None = None
) -> Matches | Mismatch:
    """Execute a recorded run by this project's code, up to the first call that is not on record.

    `box` opens the run's secrets; SecretUnreadable where it is the wrong one, or None and there are some. User code runs in
    this thread; what it prints is swallowed.
    """
    _open_secrets(recorded, box)
    # A hook that is new needs some key, whichever: nobody is given its link.
    rehearsal = _Rehearsal(project, recorded, box or Box(("rehearsal",)), settings or Settings())
    # Captured output is passed on as well, to what stands for stdout and stderr when the capture begins.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        outcome = rehearsal.outcome()
    if isinstance(outcome, Failed) and outcome.failure.type == "KeyboardInterrupt":
        raise KeyboardInterrupt
    unused = rehearsal.unused
    if isinstance(outcome, Failed) and (
        outcome.reason in _MISFITS or unused or recorded.workflow not in project.workflows
    ):
        return Mismatch(_sentence(outcome, unused), outcome.failure.step)
    renamed = _without_action(project, recorded, unused) if rehearsal.stopped else None
    if renamed is not None:
        return Mismatch(_RENAMED.format(step=renamed.identity, action=renamed.key), renamed.identity)
    return Matches(None if rehearsal.stopped else outcome, unused)


def _open_secrets(recorded: RecordedRun, box: Box | None) -> None:
    """Raise SecretUnreadable now: to the code a secret that stays sealed would be just a wrong value."""

    def refuse(token: str) -> NoReturn:
        raise SecretUnreadable(key_id=token.partition(":")[0])

    for step in recorded.steps:
        if step.kind is StepKind.HOOK and step.copied_from is None:
            key_id = step.input["key_id"]
            if box is None:
                raise SecretUnreadable(key_id=key_id)
            box.hook_token(recorded.id, step.identity, key_id)
    for payload in (
        recorded.input,
        recorded.trigger.payload,
        *(part for step in recorded.steps for part in (step.input, step.output)),
    ):
        open_sealed(payload, refuse if box is None else box.decrypt)


def _without_action(project: LoadedProject, recorded: RecordedRun, unused: tuple[str, ...]) -> Step | None:
    """The first recorded step ahead of a new call that this code cannot come by: it has no action of that name."""
    return next(
        (
            step
            for step in recorded.steps
            if step.identity in unused
            and step.kind is StepKind.ACTION
            and step.copied_from is None
            and step.key not in project.actions
            and step.key not in RESERVED_KEYS
        ),
        None,
    )


def _sentence(outcome: Failed, unused: tuple[str, ...]) -> str:
    failure = outcome.failure
    if outcome.reason is Reason.NONDETERMINISM or not unused:
        return failure.message
    place = f" ({failure.stack[-1].path}:{failure.stack[-1].line})" if failure.stack else ""
    return f"the code fails before it comes by {unused[0]}: {failure.type}: {failure.message}{place}"


class _Rehearsal(Attempt):
    """An attempt whose writes and whose bodies end it."""

    def __init__(
        self, project: LoadedProject, recorded: RecordedRun, box: Box | None, settings: Settings
    ) -> None:
        lease, gate = _lease(recorded), QuietGate()
        self._stops = _Stops(gate)
        super().__init__(
            project, lease, gate, settings, box, World(settings), self._stops,
            _Records(lease, settings, gate, self._stops, recorded.steps),
        )  # fmt: skip

    @property
    def stopped(self) -> bool:
        """Whether the code came to a call that is not on record."""
        return bool(self._stops.branches)

    @property
    def unused(self) -> tuple[str, ...]:
        """The recorded steps that the code did not come by."""
        return self._journal.ahead if self._journal is not None else ()

    def _bodies(self, boundary: Boundary, trace: AttemptTrace, journal: Journal) -> Bodies:
        return _NoBodies(boundary, self._gate, trace, self._world, self._stops, journal)

    def _end(self, workflow: Workflow[..., Any], ended: TryEnd) -> Outcome:
        if self.stopped and self._stops.cause is None:
            return Suspended(_STOP.reason)
        return super()._end(workflow, ended)


class _Stops(Unwind):
    """Leaves branch by branch, so that what is on record of the other branches is looked at, too."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self.branches: set[str] = set()

    def note(self, cause: Cause) -> None:
        """See Unwind."""
        branch = current_branch.get()
        if isinstance(cause, Pause) and branch is not None:
            self.branches.add(branch.path)
        else:
            super().note(cause)

    def check(self) -> None:
        """See Unwind."""
        branch = current_branch.get()
        if branch is not None and branch.path in self.branches:
            self.leave(_STOP)
        super().check()


class _NoBodies(Bodies):
    """Runs nothing: a body that would run is where the record ends."""

    def __init__(
        self,
        boundary: Boundary,
        gate: Gate,
        trace: AttemptTrace,
        world: World,
        stops: _Stops,
        journal: Journal,
    ) -> None:
        super().__init__(boundary, gate, trace, world, stops, journal)
        self._stops = stops

    def _do(self, ask: Ask) -> TryEnd | None:
        if not isinstance(ask, Settle | Turn):
            self._stops.leave(_STOP)
        return super()._do(ask)

    async def _do_async(self, ask: Ask) -> TryEnd | None:
        if not isinstance(ask, Settle | Turn):
            await super()._do_async(Settle())
            self._stops.leave(_STOP)
        return await super()._do_async(ask)


class _Records(Ledger):
    """Gives what is on record; a write is where the record ends, and what is only shown is dropped."""

    def __init__(
        self, lease: Lease, settings: Settings, gate: Gate, unwind: Unwind, steps: tuple[Step, ...]
    ) -> None:
        # Not the ledger's own beginning: there is no database.
        self._lease = lease
        self._settings = settings
        self._gate = gate
        self._unwind = unwind
        self._group = None
        self._steps = steps

    def read_journal(self) -> list[Step]:
        """See Ledger."""
        return [
            step
            for step in self._steps
            if step.status is not StepStatus.RUNNING or step.kind is not StepKind.ACTION
        ]

    def admit(self, value: Json) -> None:
        """Nothing is written."""

    def relax(self) -> None:
        """Nothing is written, so nothing is behind."""

    def read_ends(self, run_ids: object) -> dict[str, ChildEnd]:
        """No child has ended that is not on record."""
        return {}

    def record_tags(self, tags: object) -> None:
        """Nothing is written, and the code goes on."""

    def show_progress(self, fraction: float | None, message: str | None) -> None:
        """Nobody looks."""

    def show_running(self, steps: object) -> None:
        """Nobody looks."""

    def show_trace(self, spans: object, lines: object) -> None:
        """Nobody looks."""

    def _waiting(self, call: object) -> Any:
        self._unwind.leave(_STOP)


def _lease(recorded: RecordedRun) -> Lease:
    """The lease of the attempt that would come next."""
    return Lease(
        run_id=recorded.id, attempt=recorded.attempt + 1, project_id="", worker_id="", workflow=recorded.workflow,
        queue="", input=recorded.input, admitted=recorded.admitted, seed=recorded.seed, trace_id="0" * 32,
        parent_span_id=None, trigger=recorded.trigger, actor=SYSTEM, tags=dict(recorded.tags), failures=0,
        max_attempts=1, retry=None, parent_run_id=None, root_run_id=recorded.id, started_at=datetime.now(UTC),
        active=timedelta(), cancel_requested=False, more=False,
    )  # fmt: skip
