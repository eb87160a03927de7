"""`ctx.sleep` and `ctx.sleep_until`: a step that is over at a time of the database's clock; until then the run rests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from keystroke.clock import rfc3339
from keystroke.domain.durations import Duration, parse_duration
from keystroke.domain.payload import Json
from keystroke.domain.states import Reason
from keystroke.domain.step import SLEEP_KEY, Step, StepKind, StepStatus
from keystroke.execution.bodies import Story, Wait
from keystroke.execution.branches import Branch
from keystroke.execution.calls import ask
from keystroke.execution.run_calls import RunCalls
from keystroke.execution.spans import new_span_id
from keystroke.execution.steps import StepDoors
from keystroke.execution.unwinding import Pause

_NAME: Final = "Sleep"
#: No run sleeps beyond it; sums with later times would overflow.
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


class Sleeping:
    """The sleeps of one attempt."""

    def __init__(self, calls: RunCalls, doors: StepDoors) -> None:
        """As the attempt begins."""
        self._calls = calls
        self._doors = doors

    def sleep(self, duration: Duration) -> None:
        """See Context."""
        self._calls.tell(self._for(duration, self._calls.enter_wait("ctx.sleep")))

    async def sleep_async(self, duration: Duration) -> None:
        """See AsyncContext."""
        await self._calls.tell_async(self._for(duration, self._calls.enter_wait("ctx.sleep")))

    def sleep_until(self, time: datetime) -> None:
        """See Context."""
        self._calls.tell(self._until(time, self._calls.enter_wait("ctx.sleep_until")))

    async def sleep_until_async(self, time: datetime) -> None:
        """See AsyncContext."""
        await self._calls.tell_async(self._until(time, self._calls.enter_wait("ctx.sleep_until")))

    def _for(self, duration: Duration, branch: Branch) -> Story[None]:
        parsed = _not_negative(duration)
        return self._story(branch, {"duration": parsed.total_seconds()}, parsed, None)

    def _until(self, time: datetime, branch: Branch) -> Story[None]:
        if getattr(time, "tzinfo", None) is None:
            raise ValueError(
                f"ctx.sleep_until takes an aware datetime such as ctx.now() + timedelta(days=1), not {time!r}"
            )
        due = min(time.astimezone(UTC), _LATEST)
        return self._story(branch, {"until": rfc3339(due)}, None, due)

    def _story(
        self, branch: Branch, arguments: Json, duration: timedelta | None, until: datetime | None
    ) -> Story[None]:
        asked = ask(branch, SLEEP_KEY, StepKind.SLEEP, arguments)
        step = self._calls.take(asked)
        if step is None:
            step = Step(
                asked.identity, SLEEP_KEY, _NAME, StepKind.SLEEP, StepStatus.RUNNING, 1, asked.digest, self._doors.clock(),
                input=arguments, now=branch.now, due_at=until,
            )  # fmt: skip
            left = self._doors.ledger.begin_sleep(step, duration)
            branch.note_record(step.now)
        elif step.status is StepStatus.RUNNING:
            yield self._calls.turn_of(step)
            self._calls.go_on_live()
            left = self._doors.ledger.end_sleep(step)
        else:
            yield self._calls.turn_of(step)
            return
        while left is not None:
            yield Wait(Pause(Reason.SLEEP, self._doors.clock() + left))
            left = self._doors.ledger.end_sleep(step)
        self._doors.trace.end_step(
            new_span_id(), step.identity, step.started_at, ok=True, attributes={"keystroke.status": "success"}
        )


def _not_negative(duration: Duration) -> timedelta:
    """A time that has passed already is over at once: `ctx.sleep(deadline - ctx.now())`."""
    passed = (
        duration < timedelta(0)
        if isinstance(duration, timedelta)
        else (isinstance(duration, int | float) and duration < 0)
    )
    if passed:
        return timedelta(0)
    return parse_duration(duration)
