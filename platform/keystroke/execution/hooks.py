"""`ctx.hook`: a step that is over when somebody has answered, or when the time for it is over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from keystroke.authoring.codec import Codec
from keystroke.authoring.definition import KEY
from keystroke.authoring.exceptions import HookTimeout
from keystroke.domain.durations import Duration, parse_duration
from keystroke.domain.payload import Json
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.errors import InvalidValue, MissingSecretKey, NotJson, PayloadTooLarge
from keystroke.execution.bodies import Story, Wait
from keystroke.execution.branches import Branch
from keystroke.execution.calls import ask
from keystroke.execution.rebuilding import rebuild, take_apart
from keystroke.execution.run_calls import RunCalls
from keystroke.execution.spans import new_span_id
from keystroke.execution.steps import StepDoors
from keystroke.execution.unwinding import Pause
from keystroke.operations.create_hook import HookRequest
from keystroke.operations.settle_hook import Answered, Expired, Settled
from keystroke.settings import Settings

#: What an answer may be where the author does not say: any JSON.
ANY: Final[Any] = Any


@dataclass(slots=True)
class _Asked:
    """A hook as this attempt knows it: `step` is its record, as far as it has come."""

    name: str
    codec: Codec
    step: Step
    token: str


class Hooks:
    """The hooks of one attempt."""

    def __init__(self, calls: RunCalls, doors: StepDoors, run_id: str, settings: Settings) -> None:
        """As the attempt begins."""
        self._calls = calls
        self._doors = doors
        self._run_id = run_id
        self._base = (settings.public_url or f"http://{settings.listen}").rstrip("/")

    def create(self, name: str, schema: Any, timeout: Duration | None, one_click: bool) -> RunHook:
        """See Context."""
        branch = self._calls.enter_wait("ctx.hook")
        return RunHook(self, self._calls.tell(self._creation(branch, name, schema, timeout, one_click)))

    async def create_async(
        self, name: str, schema: Any, limit: Duration | None, one_click: bool
    ) -> AsyncRunHook:
        """See AsyncContext."""
        branch = self._calls.enter_wait("ctx.hook")
        return AsyncRunHook(
            self, await self._calls.tell_async(self._creation(branch, name, schema, limit, one_click))
        )

    def url(self, asked: _Asked) -> str:
        """The hook's link, at the address that was public when it was made."""
        return f"{asked.step.input['base']}/hooks/{asked.token}"

    def wait(self, asked: _Asked) -> Any:
        """See Hook."""
        self._calls.enter_wait("hook.wait")
        return self._calls.tell(self._wait(asked))

    async def wait_async(self, asked: _Asked) -> Any:
        """See AsyncHook."""
        self._calls.enter_wait("hook.wait")
        return await self._calls.tell_async(self._wait(asked))

    def _creation(
        self, branch: Branch, name: str, schema: Any, timeout: Duration | None, one_click: bool
    ) -> Story[_Asked]:
        if not KEY.match(str(name)):
            raise ValueError(
                f"a hook is named with letters, digits, _, - and dots, such as approval; not {name!r}"
            )
        box = self._doors.box
        if box is None:
            raise MissingSecretKey(call="ctx.hook")
        bound = None if timeout is None else parse_duration(timeout)
        codec = _codec(schema)
        asked = ask(branch, f"hook:{name}", StepKind.HOOK, {"name": name})
        step = self._calls.take(asked)
        if step is not None:
            # A copied step may come from a run whose hook had another key, or none that is still here.
            key_id = None if step.copied_from else step.input["key_id"]
            return _Asked(name, codec, step, box.hook_token(self._run_id, step.identity, key_id))
        yield from ()
        token = box.hook_token(self._run_id, asked.identity)
        request = HookRequest(name, token, box.key_id, codec.schema(), bound, bool(one_click), self._base)
        begun = Step(
            asked.identity, asked.key, name, StepKind.HOOK, StepStatus.RUNNING, 1, asked.digest, self._doors.clock(),
            now=branch.now,
        )  # fmt: skip
        step = self._doors.ledger.create_hook(begun, request)
        branch.note_record(step.now)
        return _Asked(name, codec, step, token)

    def _wait(self, asked: _Asked) -> Story[Any]:
        yield self._calls.turn_of(asked.step)
        while asked.step.status is StepStatus.RUNNING:
            self._calls.go_on_live()
            settled = self._doors.ledger.settle_hook(self._expired(asked))
            if isinstance(settled, Answered | Expired):
                asked.step = self._ended(asked, settled)
                self._end_span(asked.step)
                break
            due = None if settled.left is None else self._doors.clock() + settled.left
            yield Wait(Pause(Reason.HOOK, due, (asked.step.input["hook"],)))
        return self._given(asked)

    def _ended(self, asked: _Asked, settled: Settled) -> Step:
        if not isinstance(settled, Answered):
            return self._expired(asked)
        finished = replace(asked.step, finished_at=self._doors.clock())
        try:
            taken = self._taken(asked, settled.answer)
            step = replace(finished, status=StepStatus.SUCCESS, output=taken)
            self._doors.ledger.record(step)
        except (InvalidValue, NotJson, PayloadTooLarge) as error:
            # The published schema let it through, the code's own checks do not.
            recorded = take_apart(error, self._doors.directory, step=asked.step.identity)
            step = replace(finished, status=StepStatus.FAILED, error=recorded)
            self._doors.ledger.record(step)
        return step

    def _taken(self, asked: _Asked, answer: Json) -> Json:
        """The answer in its canonical form, with what the schema fills in."""
        what = f"answer to hook {asked.name}"
        value = asked.codec.load(answer, self._doors.box, what)
        return asked.codec.record(value, what, self._doors.box).payload

    def _given(self, asked: _Asked) -> Any:
        """What a settled hook gives, live and on replay alike."""
        step = asked.step
        if step.status is StepStatus.FAILED and step.error is not None:
            raise rebuild(step.error, self._doors.modules)
        try:
            return asked.codec.load(step.output, self._doors.box, f"recorded answer to hook {asked.name}")
        except InvalidValue as error:
            self._calls.leave_changed(str(error), step.identity)

    def _expired(self, asked: _Asked) -> Step:
        step = asked.step
        error = HookTimeout(asked.name, step.identity)
        recorded = take_apart(error, self._doors.directory, step=step.identity)
        return replace(step, status=StepStatus.FAILED, finished_at=self._doors.clock(), error=recorded)

    def _end_span(self, step: Step) -> None:
        ok = step.status is StepStatus.SUCCESS
        attributes = {"keystroke.status": step.status.value}
        self._doors.trace.end_step(
            new_span_id(), step.identity, step.started_at, ok=ok, attributes=attributes
        )


class _Face:
    """What both faces share."""

    def __init__(self, hooks: Hooks, asked: _Asked) -> None:
        """A hook on record."""
        self._hooks = hooks
        self._asked = asked

    @property
    def token(self) -> str:
        """What the link ends in."""
        return self._asked.token

    @property
    def url(self) -> str:
        """The link."""
        return self._hooks.url(self._asked)


class RunHook(_Face):
    """See `authoring.hooks.Hook`."""

    def wait(self) -> Any:
        """The validated answer."""
        return self._hooks.wait(self._asked)


class AsyncRunHook(_Face):
    """See `authoring.hooks.AsyncHook`."""

    async def wait(self) -> Any:
        """The validated answer."""
        return await self._hooks.wait_async(self._asked)


def _codec(schema: Any) -> Codec:
    """Made once for each annotation: a loop of hooks shall not build it anew."""
    try:
        return _made(schema)
    except TypeError:
        # An annotation that cannot be hashed, such as Annotated[..., {"a": "dict"}].
        return Codec(schema, "input")


@lru_cache(maxsize=256)
def _made(schema: Any) -> Codec:
    return Codec(schema, "input")
