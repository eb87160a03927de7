"""One attempt of a tick: call the poll's function, look through what it gave, and end in one result."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from keystroke.authoring.poll import Poll
from keystroke.authoring.poll_result import as_result
from keystroke.authoring.project import LoadedProject
from keystroke.authoring.tick import Tick
from keystroke.box import Box
from keystroke.domain.bounds import tick_out_of_time
from keystroke.domain.lease import TickLease
from keystroke.domain.outcome import Canceled, Failed, HandedBack
from keystroke.domain.payload import decode_payload
from keystroke.domain.states import Reason
from keystroke.domain.tick import GIVEN_BACK, Polled, TickResult
from keystroke.errors import DatabaseUnavailable, SourceGone
from keystroke.execution.boundary import Boundary
from keystroke.execution.failures import describe, essence
from keystroke.execution.gate import Gate, Interruption
from keystroke.execution.journal import Journal
from keystroke.execution.log_capture import LogCapture, capturing
from keystroke.execution.polling import look_through, next_state, sharing
from keystroke.execution.tick_trace import TickTrace
from keystroke.execution.time_limit import TimeLimit
from keystroke.execution.world import World
from keystroke.operations.read_poll_state import read_poll_state
from keystroke.settings import Settings
from keystroke.store import Database


def run_tick(
    database: Database,
    project: LoadedProject,
    lease: TickLease,
    gate: Gate,
    settings: Settings,
    box: Box | None,
    world: World | None = None,
) -> TickResult:
    """Execute the leased tick in this thread; the caller records the result (`finish_tick`).

    Nothing of it is written but what it says while it goes on. Where the database is away before it begins, the tick is given
    back.
    """
    world = world or World(settings)
    limit = TimeLimit(lease.timeout, lease.active, world.monotonic)
    attempt = TickAttempt(database, project, lease, gate, settings, box, world, limit)
    return replace(attempt.result(), active=limit.worked - lease.active)


@dataclass(frozen=True, slots=True)
class TickAttempt:
    """The story of one attempt of a tick."""

    database: Database
    project: LoadedProject
    lease: TickLease
    gate: Gate
    settings: Settings
    box: Box | None
    world: World
    limit: TimeLimit

    def result(self) -> TickResult:
        """The story: what ends it early leaves by a return."""
        if self.lease.cancel_requested:
            return TickResult(Canceled(), timedelta())
        if self.limit.is_over:
            return TickResult(self._out_of_time(), timedelta())
        poll = self.project.sources.get(self.lease.source)
        if not isinstance(poll, Poll):
            return TickResult(self._failed(SourceGone(source=self.lease.source), counts=False), timedelta())
        try:
            state = read_poll_state(self.database, self.lease.source_id)
        except DatabaseUnavailable:
            return GIVEN_BACK
        return self._execute(poll, state)

    def _execute(self, poll: Poll, state: str | None) -> TickResult:
        """Run the author's code with everything around it that it can say."""
        trace = TickTrace(self.database, self.lease, self.settings, self.world.now)
        journal = Journal([], trace.buffer.drop_aside)
        boundary = Boundary(self.gate, opens_gate=True)
        capture = LogCapture(trace.buffer, journal, boundary, trace.span_id, self.world.now)
        with ExitStack() as around:
            around.enter_context(self.world.flusher().watching(trace))
            around.enter_context(capturing(capture))
            around.enter_context(trace.collecting())
            ended = self._look(poll, state, boundary)
        end = self._left_early() or ended
        last = trace.end(type(end).__name__.lower(), ok=not isinstance(end, Failed))
        return TickResult(end, timedelta(), state, last)

    def _look(self, poll: Poll, state: str | None, boundary: Boundary) -> Polled | Failed:
        """Whatever the author's code raises is how it ended; BaseException and SystemExit included."""
        try:
            polled = self._in_user_code(poll, state, boundary)
        except BaseException as error:  # noqa: BLE001 - see above
            return self._failed(essence(error))
        if len(polled.brought) == 1 and polled.brought[0].failure is not None:
            return Failed(polled.brought[0].failure, Reason.USER_ERROR)
        return polled

    def _in_user_code(self, poll: Poll, state: str | None, boundary: Boundary) -> Polled:
        try:
            boundary.enter()
            return self._polled(poll, state)
        finally:
            boundary.come_back()

    def _polled(self, poll: Poll, text: str | None) -> Polled:
        leader, *_ = members = sharing(self.project.sources.values(), poll)
        result = as_result(leader.invoke(self._state(poll, text), self._tick()))
        shares = members if self.lease.origin == "" else [poll]
        limit = self.settings.payload_limit
        brought = tuple(look_through(each, result, self.project.directory, limit) for each in shares)
        return Polled(brought, next_state(poll, result.state, self.box, limit))

    def _state(self, poll: Poll, text: str | None) -> Any:
        if poll.state_codec is None or text is None:
            return None
        return poll.state_codec.load(decode_payload(text), self.box, f"the state of {poll.slug}")

    def _tick(self) -> Tick:
        lease = self.lease
        return Tick(
            lease.tick_id, lease.source, lease.scheduled_at, lease.previous, lease.dry_run, lease.missed
        )

    def _left_early(self) -> Canceled | Failed | HandedBack | None:
        """Why user code was interrupted, should it have ended all the same: what it came to then is not to be trusted."""
        asked = self.gate.interruption
        if asked is Interruption.CANCEL:
            return Canceled()
        if asked is Interruption.TIMEOUT:
            return self._out_of_time()
        return HandedBack() if asked is Interruption.DRAIN else None

    def _out_of_time(self) -> Failed:
        return Failed(tick_out_of_time(self.limit.worked, self.lease.timeout), Reason.TIMEOUT)

    def _failed(self, error: BaseException, *, counts: bool = True) -> Failed:
        failure = describe(error, self.project.directory, reason=Reason.USER_ERROR)
        return Failed(failure, Reason.USER_ERROR, counts=counts)
