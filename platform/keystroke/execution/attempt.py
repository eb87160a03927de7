"""One attempt of a run: admit it, execute its function with recorded steps replayed, and end in one outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from keystroke.authoring.current import current_run, process_run
from keystroke.authoring.project import LoadedProject
from keystroke.authoring.workflow import Workflow
from keystroke.box import Box
from keystroke.domain.keys import NO_LIMITS, RunLimits, limits_of
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import NO_RECORDS, Admitting, Canceled, Completed, Failed, LastRecords, Outcome
from keystroke.domain.payload import encode_payload
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepRecord
from keystroke.errors import WorkflowGone
from keystroke.execution.bodies import Bodies, Raised, Returned, TryEnd
from keystroke.execution.boundary import Boundary
from keystroke.execution.branches import Branch, current_branch
from keystroke.execution.children import Children
from keystroke.execution.contexts import AsyncRunContext, RunContext
from keystroke.execution.display import Display
from keystroke.execution.gate import Gate
from keystroke.execution.hooks import Hooks
from keystroke.execution.journal import Journal
from keystroke.execution.ledger import Ledger
from keystroke.execution.log_capture import LogCapture, capturing
from keystroke.execution.mapping import Mapping
from keystroke.execution.run_calls import RunCalls
from keystroke.execution.run_facts import RunFacts
from keystroke.execution.running_steps import RunningSteps
from keystroke.execution.sleeping import Sleeping
from keystroke.execution.spans import AttemptTrace
from keystroke.execution.steps import StepDoors
from keystroke.execution.time_limit import TimeLimit
from keystroke.execution.trace_buffer import TraceBuffer
from keystroke.execution.transforming import make_input, split_transform
from keystroke.execution.unwinding import Unwind, Unwinding
from keystroke.execution.user_code import run_to_end
from keystroke.execution.verdict import complete, ended_in_error, fail, left_early
from keystroke.execution.world import World
from keystroke.settings import Settings
from keystroke.store import Database


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended, how long it worked, and what its finish has to write besides."""

    outcome: Outcome
    active: timedelta
    last: LastRecords = NO_RECORDS


def run_attempt(
    database: Database,
    project: LoadedProject,
    lease: Lease,
    gate: Gate,
    settings: Settings,
    box: Box | None,
    world: World | None = None,
    *,
    defers: bool = False,
) -> AttemptResult:
    """Execute the leased run up to its outcome, in this thread; the caller records the outcome (`finish_attempt`).

    With `defers` the result holds the last records, spans and log lines, and the finish has to write them; else they are
    written here. `world` is the real one by default, which wakes nobody for children. Raises LeaseLost when another attempt
    has the run, and DatabaseUnavailable when the worker drains while the database is away: then there is nothing to record.
    """
    world = world or World(settings)
    began = world.monotonic()
    unwind = Unwind(gate, TimeLimit(lease.timeout, lease.active, world.monotonic))
    ledger = world.ledger(database, lease, settings, gate, unwind)
    attempt = Attempt(project, lease, gate, settings, box, world, unwind, ledger)
    attempt.defers = defers
    outcome = attempt.outcome()
    return AttemptResult(outcome, timedelta(seconds=world.monotonic() - began), attempt.last)


class Attempt:
    """The story of one attempt; `rehearsal` tells it without bodies and writes."""

    def __init__(
        self,
        project: LoadedProject,
        lease: Lease,
        gate: Gate,
        settings: Settings,
        box: Box | None,
        world: World,
        unwind: Unwind,
        ledger: Ledger,
    ) -> None:
        """Nothing is read or executed yet."""
        #: Whether what is behind at the end is left to the finish, as `last`.
        self.defers = False
        self.last = NO_RECORDS
        self._project = project
        self._lease = lease
        self._gate = gate
        self._settings = settings
        self._box = box
        self._world = world
        self._clock = world.now
        self._unwind = unwind
        self._ledger = ledger
        self._journal: Journal | None = None

    def outcome(self) -> Outcome:
        """The story: what ends it early leaves by a return, what runs leaves by `_end`."""
        if self._lease.cancel_requested:
            return Canceled()
        if self._unwind.limit.is_over:
            return self._unwind.limit.failure()
        workflow = self._project.workflows.get(self._lease.workflow)
        if workflow is None:
            return self._fail(WorkflowGone(workflow=self._lease.workflow), Reason.USER_ERROR)
        try:
            admitted = None if self._is_behind_transform else self._admit(workflow)
            if isinstance(admitted, Failed | Admitting):
                return admitted
            if workflow.options.durability == "relaxed":
                self._ledger.relax()
            return self._execute(workflow, admitted)
        except Unwinding as unwinding:
            # The platform's own reads and writes, before user code ran.
            return self._end(workflow, Raised(unwinding))

    @property
    def _is_behind_transform(self) -> bool:
        """Whether the input is yet to be made."""
        return self._lease.behind_transform is not None and not self._lease.admitted

    def _admit(self, workflow: Workflow[..., Any]) -> Returned | Failed | Admitting:
        """The validated input: recorded by the first attempt, read by later ones."""
        try:
            value = workflow.input.load(self._lease.input, self._box, "input")
        except Exception as error:  # noqa: BLE001 - the author's validators run in there
            return self._fail(error, Reason.INVALID_INPUT)
        return Returned(value) if self._lease.admitted else self._record_input(workflow, value)

    def _record_input(self, workflow: Workflow[..., Any], value: Any) -> Returned | Failed | Admitting:
        """A valid input goes on record, defaults filled; where the run has limits it waits for them first, with that input."""
        try:
            recorded = workflow.input.record(value, "input", self._box)
            limits = self._limits(workflow, recorded.payload)
            if limits:
                encode_payload(recorded.payload, what="input", limit=self._settings.payload_limit)
                return Admitting(recorded.payload, limits)
            self._ledger.admit(recorded.payload)
        except Exception as error:  # noqa: BLE001 - the author's validators and serializers run in there
            return self._fail(error, Reason.INVALID_INPUT)
        return Returned(recorded.value)

    def _limits(self, workflow: Workflow[..., Any], recorded: Any) -> RunLimits:
        """What the run is yet to be admitted under; nothing where its start has done that."""
        if not self._lease.unkeyed:
            return NO_LIMITS
        manifest = self._project.manifest.workflows[workflow.slug]
        return limits_of(manifest, lambda: recorded, self._lease.tags)

    def _make_input(
        self,
        workflow: Workflow[..., Any],
        record: Step | None,
        doors: StepDoors,
        boundary: Boundary,
        bodies: Bodies,
    ) -> Returned | Outcome:
        """What the transform makes of the trigger's payload, admitted; or how the attempt ends with it."""
        ended: TryEnd
        try:
            with boundary.plain_code():
                made = make_input(
                    self._project, self._lease, record, doors, bodies, self._ledger.read_delivery
                )
            ended = Returned(made)
        except BaseException as error:  # noqa: BLE001 - whatever the author's code raises is how it ended
            ended = Raised(error)
        early = left_early(ended, self._unwind, self._gate, self._clock(), self._project.directory)
        if early is not None:
            return early
        if isinstance(ended, Raised):
            return fail(ended.error, Reason.INVALID_INPUT, self._lease, self._project.directory, counts=False)
        return self._record_input(workflow, ended.value)

    def _execute(self, workflow: Workflow[..., Any], admitted: Returned | None) -> Outcome:
        """Run the function with everything around it that it can call, say and cost; without an input, make that first."""
        buffer = TraceBuffer(self._settings.trace_cap)
        transformed, steps = split_transform(self._recorded_steps())
        journal = self._journal = Journal(steps, buffer.drop_aside)
        boundary = Boundary(self._gate, opens_gate=not workflow.is_async)
        trace = AttemptTrace(self._lease, buffer, journal, self._clock)
        running = RunningSteps()
        doors = StepDoors(
            self._ledger, self._unwind, self._gate, trace, running, self._box, self._project.directory,
            self._project.modules, self._clock, self._world.jitter,
        )  # fmt: skip
        bodies = self._bodies(boundary, trace, journal)
        calls, facts, context = self._offer(workflow, doors, journal, boundary, bodies)
        display = Display(self._lease.run_id, self._ledger, buffer, running, facts, self._unwind)
        with ExitStack() as around:
            around.enter_context(self._world.flusher().watching(display))
            around.enter_context(capturing(LogCapture(buffer, journal, boundary, trace.span_id, self._clock)))
            around.enter_context(trace.collecting())
            around.enter_context(_executing(calls))
            begun = admitted or self._make_input(workflow, transformed, doors, boundary, bodies)
            ended = (
                run_to_end(workflow, begun.value, context, boundary, self._gate, self._unwind)
                if isinstance(begun, Returned)
                else begun
            )
        records = self._last_steps()
        outcome = self._end(workflow, ended) if isinstance(ended, TryEnd) else ended
        self._end_trace(outcome, trace)
        buffer.keep_aside()
        self._tell_last(display, records)
        return outcome

    def _offer(
        self,
        workflow: Workflow[..., Any],
        doors: StepDoors,
        journal: Journal,
        boundary: Boundary,
        bodies: Bodies,
    ) -> tuple[RunCalls, RunFacts, RunContext | AsyncRunContext]:
        """What the function can call: actions, workflows, and its context."""
        facts = RunFacts(doors, self._lease, journal, boundary)
        calls = RunCalls(
            doors,
            journal,
            boundary,
            bodies,
            self._settings,
            workflow.is_async,
            workflow.slug,
        )
        children = Children(
            calls, doors, journal, self._lease.run_id, is_async=workflow.is_async, wake=self._world.wake
        )
        calls.children = children
        mapping = Mapping(self._unwind, self._gate, calls.threads, boundary.platform, bodies.threads)
        context = (AsyncRunContext if workflow.is_async else RunContext)(
            facts,
            mapping,
            calls.enter_call,
            Sleeping(calls, doors),
            Hooks(calls, doors, self._lease.run_id, self._settings),
            children,
        )
        children.settle_recorded()
        return calls, facts, context

    def _last_steps(self) -> Sequence[StepRecord]:
        """The records that are behind; where they cannot be written the attempt has no outcome."""
        if self.defers:
            return self._ledger.take_rest()
        self._ledger.settle()
        return ()

    def _tell_last(self, display: Display, records: Sequence[StepRecord]) -> None:
        if not self.defers:
            display.flush()
            return
        spans, lines = display.take_rest()
        self.last = LastRecords(tuple(records), tuple(spans), tuple(lines))

    def _bodies(self, boundary: Boundary, trace: AttemptTrace, journal: Journal) -> Bodies:
        return Bodies(boundary, self._gate, trace, self._world, self._unwind, journal)

    def _recorded_steps(self) -> list[Any]:
        """A first attempt has none, unless it replays another run from a step."""
        if self._lease.attempt == 1 and self._lease.trigger.type != "replay":
            return []
        self._ledger.check_budget()
        return self._ledger.read_journal()

    def _end(self, workflow: Workflow[..., Any], ended: TryEnd) -> Outcome:
        directory = self._project.directory
        early = left_early(ended, self._unwind, self._gate, self._clock(), directory)
        if early is not None:
            return early
        if isinstance(ended, Raised):
            return ended_in_error(ended.error, self._lease, directory)
        return complete(
            workflow, ended.value, self._lease, directory, self._box, self._settings.payload_limit
        )

    def _end_trace(self, outcome: Outcome, trace: AttemptTrace) -> None:
        ok = not isinstance(outcome, Failed)
        trace.end_attempt(type(outcome).__name__.lower(), ok=ok)
        retried = isinstance(outcome, Failed) and outcome.failure.retryable
        if isinstance(outcome, Completed | Canceled | Failed) and not retried:
            trace.end_run(ok=isinstance(outcome, Completed))

    def _fail(self, error: Exception, reason: Reason) -> Failed:
        return fail(error, reason, self._lease, self._project.directory, counts=False)


@contextmanager
def _executing(calls: RunCalls) -> Iterator[None]:
    """Let actions find the run: those of this context, and those in threads that have none."""
    run, branch, process_run.run = current_run.set(calls), current_branch.set(Branch()), calls
    try:
        yield
    finally:
        process_run.run = None
        current_branch.reset(branch)
        current_run.reset(run)
