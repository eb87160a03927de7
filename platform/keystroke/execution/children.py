"""Children of a run: started, waited for, and their ends taken, each recorded as the step that started it.

The step is on record as running from the child's start on, and gets the child's end once somebody waits for it, or at the
beginning of the next attempt. What is on record is all that a replay reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from keystroke.authoring.children import ChildOptions
from keystroke.authoring.workflow import Workflow
from keystroke.domain.child import ChildEnd
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.errors import KeystrokeError
from keystroke.execution.bodies import Story, Wait
from keystroke.execution.branches import Branch
from keystroke.execution.calls import Asked
from keystroke.execution.child_calls import child_error, open_child, refusal, wanted_child
from keystroke.execution.child_handles import AsyncChildHandle, ChildHandle
from keystroke.execution.journal import Journal
from keystroke.execution.rebuilding import rebuild
from keystroke.execution.run_calls import RunCalls
from keystroke.execution.spans import step_span_id
from keystroke.execution.steps import StepDoors
from keystroke.execution.unwinding import Pause
from keystroke.execution.world import Wake

#: Children that were looked at so recently are not looked at again: a run that comes to rest does that anyway.
_FRESH: Final = timedelta(milliseconds=100)


class Children:
    """The children of one attempt's run; implements `authoring.current.CurrentChildren`."""

    def __init__(
        self, calls: RunCalls, doors: StepDoors, journal: Journal, run_id: str, *, is_async: bool, wake: Wake
    ) -> None:  # fmt: skip
        """As the attempt begins."""
        self._calls = calls
        self._doors = doors
        self._journal = journal
        self._run_id = run_id
        self._is_async = is_async
        self._wake = wake

    def start(self, workflow: Workflow[..., Any], value: Any, options: ChildOptions) -> Any:
        """See CurrentChildren."""
        if self._is_async:
            return self._start_awaited(workflow, value, options)
        branch = self._calls.enter_wait(f"{workflow.__name__}.start")
        return self._calls.tell(self._start(workflow, value, options, branch))

    async def _start_awaited(
        self, workflow: Workflow[..., Any], value: Any, options: ChildOptions
    ) -> AsyncChildHandle:
        branch = self._calls.enter_wait(f"{workflow.__name__}.start")
        handle = await self._calls.tell_async(self._start(workflow, value, options, branch))
        return AsyncChildHandle(handle)

    def run(self, workflow: Workflow[..., Any], value: Any, options: ChildOptions) -> Any:
        """See CurrentChildren."""
        if self._is_async:
            return self._run_awaited(workflow, value, options)
        branch = self._calls.enter_wait(f"{workflow.__name__}.run")
        return self._calls.tell(self._run(workflow, value, options, branch))

    async def _run_awaited(self, workflow: Workflow[..., Any], value: Any, options: ChildOptions) -> Any:
        branch = self._calls.enter_wait(f"{workflow.__name__}.run")
        return await self._calls.tell_async(self._run(workflow, value, options, branch))

    def wait(self, children: Iterable[Any]) -> None:
        """See Context."""
        branch = self._calls.enter_wait("ctx.wait")
        self._calls.tell(self._wait(_handles(children), branch))

    async def wait_async(self, children: Iterable[Any]) -> None:
        """See AsyncContext."""
        branch = self._calls.enter_wait("ctx.wait")
        await self._calls.tell_async(self._wait(_handles(children), branch))

    def result(self, handle: ChildHandle) -> Any:
        """See ChildRun."""
        branch = self._calls.enter_wait(f"result of {handle.workflow}")
        return self._calls.tell(self._result(handle, branch))

    def result_awaited(self, handle: ChildHandle) -> Awaitable[Any]:
        """See AsyncChildRun."""
        branch = self._calls.enter_wait(f"result of {handle.workflow}")
        return self._calls.tell_async(self._result(handle, branch))

    def settle_recorded(self) -> None:
        """Before user code runs: take the ends of the children that earlier attempts have started, all at once."""
        open_steps = self._journal.open_children()
        if open_steps:
            self._journal.settle(self._settled(open_steps))

    def _start(
        self, workflow: Workflow[..., Any], value: Any, options: ChildOptions, branch: Branch
    ) -> Story[ChildHandle]:
        yield from ()
        opened = open_child(workflow, value, options, branch, self._doors.box, self._calls.payload_limit)
        recorded = self._calls.take(opened.asked)
        if recorded is None:
            recorded = self._begin(workflow, opened.asked, opened.plain, options)
            branch.note_record(recorded.now)
        if recorded.child_run_id is None:
            self._raise(recorded)
        return ChildHandle(self, workflow, recorded, self._doors.clock())

    def _begin(self, workflow: Workflow[..., Any], asked: Asked, plain: Any, options: ChildOptions) -> Step:
        """Start the child; the record of its step, which has failed where the child was refused."""
        step = Step(
            asked.identity, asked.key, workflow.name, StepKind.WORKFLOW, StepStatus.RUNNING, 1, asked.digest,
            self._doors.clock(), input=asked.input, now=asked.branch.now,
        )  # fmt: skip
        span_id = step_span_id(self._run_id, asked.identity)
        try:
            started = self._doors.ledger.start_child(
                step, wanted_child(workflow, plain, options, span_id), self._doors.box
            )
        except KeystrokeError as refused:
            error = refusal(refused, workflow.slug, asked.identity, self._doors.directory)
            step = replace(step, status=StepStatus.FAILED, error=error, finished_at=self._doors.clock())
            self._doors.ledger.record(step)
            self._end_span(step)
            return step
        for project_id, queue in started.woken:
            self._wake(project_id, queue)
        return replace(step, child_run_id=started.run_id)

    def _run(
        self, workflow: Workflow[..., Any], value: Any, options: ChildOptions, branch: Branch
    ) -> Story[Any]:
        handle = yield from self._start(workflow, value, options, branch)
        return (yield from self._result(handle, branch))

    def _result(self, handle: ChildHandle, branch: Branch) -> Story[Any]:
        yield from self._wait([handle], branch)
        if handle.step.status is StepStatus.FAILED:
            self._raise(handle.step)
        what = f"output of {handle.workflow} ({handle.run_id})"
        return handle.definition.output.load(handle.step.output, self._doors.box, what)

    def _raise(self, step: Step) -> None:
        raise rebuild(step.error or {}, self._doors.modules)

    def _wait(self, handles: Sequence[ChildHandle], branch: Branch) -> Story[None]:
        """Until all have ended. One that ended since it was started counts as news, also if this attempt began with it."""
        yield self._calls.turn_of(*(handle.step for handle in handles))
        if any(handle.is_open or self._journal.settled_now(handle.step.identity) for handle in handles):
            self._calls.go_on_live()
        while waiting := self._still_open(handles):
            name = f"{branch.path}/wait" if branch.path else "wait"
            group = (name, tuple(dict.fromkeys(handle.run_id for handle in waiting)))
            yield Wait(Pause(Reason.CHILD_RUNS, children=(group,)))

    def _still_open(self, handles: Sequence[ChildHandle]) -> list[ChildHandle]:
        """Those whose children go on; the others are settled."""
        now = self._doors.clock()
        stale = [
            each for each in handles if each.is_open and not timedelta(0) <= now - each.looked_at < _FRESH
        ]
        if stale:
            settled = {step.identity: step for step in self._settled([each.step for each in stale])}
            for each in stale:
                each.step, each.looked_at = settled.get(each.step.identity, each.step), now
        return [each for each in handles if each.is_open]

    def _settled(self, steps: Sequence[Step]) -> list[Step]:
        """Record the ends of those of the children that have ended; their steps as they are on record now."""
        ends = self._doors.ledger.read_ends([step.child_run_id or "" for step in steps])
        over = [
            self._over(step, ends[step.child_run_id or ""]) for step in steps if step.child_run_id in ends
        ]
        if over:
            self._doors.ledger.settle_children(over)
        for step in over:
            self._end_span(step)
        return over

    def _over(self, step: Step, end: ChildEnd) -> Step:
        at = max(self._doors.clock(), step.started_at)
        error = child_error(end, step, self._doors.directory)
        if error is None:
            return replace(step, status=StepStatus.SUCCESS, output=end.output, finished_at=at)
        return replace(step, status=StepStatus.FAILED, error=error, finished_at=at)

    def _end_span(self, step: Step) -> None:
        attributes = {
            "keystroke.status": step.status.value,
            "keystroke.child_run_id": step.child_run_id or "",
        }
        self._doors.trace.end_step(
            step_span_id(self._run_id, step.identity), step.identity, step.started_at,
            ok=step.status is StepStatus.SUCCESS, attributes=attributes,
        )  # fmt: skip


def _handles(children: Iterable[Any]) -> list[ChildHandle]:
    """The handles among what an author passes to `ctx.wait`; TypeError for anything else."""
    handles = []
    for each in children:
        handle = each.handle if isinstance(each, AsyncChildHandle) else each
        if not isinstance(handle, ChildHandle):
            raise TypeError(f"ctx.wait takes what `start` of a workflow gives, not {each!r}")
        handles.append(handle)
    return handles
