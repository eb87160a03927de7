"""The run as its actions see it: every call is a step, given from the record or executed and recorded."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, TypeVar

from keystroke.authoring.action import Action
from keystroke.authoring.current import CurrentChildren, inside_action
from keystroke.authoring.exceptions import RunCanceled
from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Failed
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepStatus
from keystroke.errors import (
    ActionInForeignThread,
    AsyncActionInSyncWorkflow,
    InvalidValue,
    Nondeterminism,
    NotInWorkflowCode,
    WaitInAction,
)
from keystroke.execution.bodies import Bodies, Story, Turn
from keystroke.execution.boundary import Boundary
from keystroke.execution.branches import Branch, current_branch
from keystroke.execution.calls import Asked, Call, mismatch, open_call
from keystroke.execution.failures import frames_here
from keystroke.execution.gate import Interruption
from keystroke.execution.journal import Journal
from keystroke.execution.rebuilding import rebuild
from keystroke.execution.steps import StepDoors, StepRun
from keystroke.settings import Settings

T = TypeVar("T")


class RunCalls:
    """Implements `authoring.current.CurrentRun` for one attempt."""

    #: Set by the attempt: they make their calls here.
    children: CurrentChildren

    def __init__(
        self, doors: StepDoors, journal: Journal, boundary: Boundary, bodies: Bodies, settings: Settings, async_in: bool,
        workflow: str,
    ) -> None:  # fmt: skip
        """`async_in`: whether the workflow is an `async def`, in which async actions can be awaited."""
        self._doors = doors
        self._journal = journal
        self._boundary = boundary
        self._bodies = bodies
        self._settings = settings
        self._is_async = async_in
        self._workflow = workflow
        self._redacted = frozenset(settings.redact)
        #: Bytes of a payload as JSON.
        self.payload_limit = settings.payload_limit
        self._pid = os.getpid()
        #: Threads of `ctx.map`, in which actions may be called.
        self.threads = {threading.get_ident()}

    def call_action(self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """See CurrentRun."""
        return self.tell(self._story(action, args, kwargs, self.enter_call(action.name)))

    def call_async_action(
        self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Awaitable[Any]:
        """See CurrentRun."""
        if not self._is_async:
            raise AsyncActionInSyncWorkflow(action=action.name, workflow=self._workflow)
        return self._awaited(action, args, kwargs)

    async def _awaited(
        self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """The occurrence is taken when the call is awaited, in the branch that awaits it."""
        branch = self.enter_call(action.name)
        return await self._bodies.tell_async(self._story(action, args, kwargs, branch))

    def function_of(self, action: Action[..., Any]) -> Callable[..., Any]:
        """See CurrentRun."""
        return self._bodies.function_of(action)

    def refuse_foreign_call(self, action: Action[..., Any]) -> None:
        """See CurrentRun."""
        if not self._doors.running:
            raise ActionInForeignThread(action=action.name)

    def enter_call(self, action: str) -> Branch:
        """The beginning of every durable call: the branch it is made in, unless user code is being left."""
        branch = current_branch.get()
        if branch is None or self._is_foreign():
            raise ActionInForeignThread(action=action)
        self._doors.unwind.check()
        return branch

    def enter_wait(self, call: str) -> Branch:
        """The beginning of a call that may wait: only in the workflow's own code, and not while it cleans up after a cancel."""
        if inside_action.get():
            raise WaitInAction(call=call)
        if self._is_foreign():
            raise NotInWorkflowCode(call=call)
        if self._doors.gate.interruption is Interruption.CANCEL:
            raise RunCanceled
        self._doors.unwind.check()
        branch = current_branch.get()
        assert branch is not None, "looked at by _is_foreign"
        return branch

    def tell(self, story: Story[T]) -> T:
        """Go through a story in the thread of its call."""
        self._boundary.leave()
        try:
            return self._bodies.tell(story)
        finally:
            self._boundary.enter()

    async def tell_async(self, story: Story[T]) -> T:
        """Go through a story in the event loop."""
        return await self._bodies.tell_async(story)

    def take(self, asked: Asked) -> Step | None:
        """What is on record of the call, a wait that has only begun included; leaves where the record is of something else."""
        recorded = self._journal.take(asked.identity)
        if recorded is not None:
            self._compare(asked, recorded)
            asked.branch.note_record(recorded.now)
        return recorded

    def turn_of(self, *steps: Step) -> Turn:
        """To be asked before calls on record end: others began before that."""
        return Turn(max((self._journal.turn_of(step) for step in steps), default=0))

    def go_on_live(self) -> None:
        """A wait on record goes on."""
        self._journal.go_live()

    def leave_changed(self, found: str, step: str) -> NoReturn:
        """Leave user code: what it does is not what is on record."""
        error = Nondeterminism(mismatch=found)
        frames = frames_here(self._doors.directory)
        failure = Failure(type(error).__name__, str(error), Reason.NONDETERMINISM, frames, step)
        self._doors.unwind.leave(Failed(failure, Reason.NONDETERMINISM, counts=False))

    def _is_foreign(self) -> bool:
        # A forked child has this thread's number, and connections that are not its own.
        foreign = threading.get_ident() not in self.threads or os.getpid() != self._pid
        return foreign or current_branch.get() is None

    def _story(
        self, action: Action[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], branch: Branch
    ) -> Story[Any]:
        call = open_call(action, args, kwargs, branch, self._doors.box, self._settings.payload_limit)
        recorded = self._journal.take(call.identity)
        if recorded is not None:
            self._compare(call, recorded)
        if recorded is not None and recorded.status is not StepStatus.RETRYING:
            yield self.turn_of(recorded)
            return self._replay(call, recorded)
        return (yield from StepRun(self._doors, call, recorded).story())

    def _replay(self, call: Call, recorded: Step) -> Any:
        call.branch.note_record(recorded.now)
        if recorded.status is StepStatus.FAILED and recorded.error is not None:
            raise rebuild(recorded.error, self._doors.modules)
        try:
            return call.action.result.load(
                recorded.output, self._doors.box, f"recorded result of {call.identity}"
            )
        except InvalidValue as error:
            self.leave_changed(str(error), call.identity)

    def _compare(self, call: Call | Asked, recorded: Step) -> None:
        found = mismatch(call, recorded, self._redacted)
        if found is not None:
            self.leave_changed(found, call.identity)
