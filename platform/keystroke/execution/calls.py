"""A call of an action inside a run: what identifies it, and whether it matches what is on record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from keystroke.authoring.action import Action
from keystroke.authoring.codec import Codec
from keystroke.box import Box
from keystroke.domain.payload import Json, digest, encode_payload
from keystroke.domain.retry import Backoff
from keystroke.domain.secrets import redact
from keystroke.domain.step import Step, StepKind
from keystroke.execution.branches import Branch

#: Characters of recorded and actual arguments that a nondeterminism error shows of each.
_SHOWN: Final = 600


#: Gives what a call of an action runs: its function, or what stands in for it.
FindBody = Callable[[Action[..., Any]], Callable[..., Any]]


class Called(Protocol):
    """What a step executes, and how: an action, or a transform. See `authoring.action.Action`."""

    @property
    def key(self) -> str:
        """What identifies it in the recorded steps."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def retries(self) -> int:
        """How often it is tried again."""

    @property
    def retry_on(self) -> tuple[type[BaseException], ...] | None:
        """The exceptions after which it is."""

    @property
    def backoff(self) -> Backoff:
        """The pauses between tries."""

    @property
    def timeout(self) -> timedelta | None:
        """How long a try may take."""

    @property
    def result(self) -> Codec:
        """Records what it gave."""


class StepCall(Protocol):
    """One call that a step executes."""

    @property
    def action(self) -> Called:
        """What is called."""

    @property
    def kind(self) -> StepKind:
        """The kind of the step."""

    @property
    def identity(self) -> str:
        """What identifies the step."""

    @property
    def branch(self) -> Branch:
        """The line of calls that it is made in."""

    @property
    def input(self) -> Json:
        """What is recorded of its arguments."""

    @property
    def digest(self) -> str:
        """What stands for them."""

    def run_body(self, find: FindBody) -> Any:
        """Run what is called, and give what it returns."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an action: `input` is what is recorded of its arguments, `digest` stands for them."""

    action: Action[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    identity: str
    branch: Branch
    input: Json
    digest: str
    kind: StepKind = StepKind.ACTION

    @property
    def key(self) -> str:
        """What the step is known by: the action's name."""
        return self.action.key

    def run_body(self, find: FindBody) -> Any:
        """Call the action's function, or what stands in for it, with arguments of its own, and give what it returns.

        Copies: what a body changes in its arguments must not reach its next try, nor the caller, who would not see it when
        this step is replayed.
        """
        args, kwargs = self.action.arguments.copied(self.args, self.kwargs)
        return find(self.action)(*args, **kwargs)


def open_call(
    action: Action[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    branch: Branch,
    box: Box | None,
    limit: int,
) -> Call:
    """Bind and record the arguments, then take the next occurrence in the branch.

    Raises TypeError, InvalidValue, NotJson or PayloadTooLarge for arguments that cannot be recorded: before the step runs.
    """
    recorded = action.arguments.record(args, kwargs, box)
    identity = branch.identify(action.key)
    what = f"input of step {identity}"
    text = encode_payload(recorded.payload, what=what, limit=limit)
    if recorded.digested is not recorded.payload and recorded.digested != recorded.payload:
        text = encode_payload(recorded.digested, what=what)
    return Call(action, args, kwargs, identity, branch, recorded.payload, digest(text))


@dataclass(frozen=True, slots=True)
class Asked:
    """A durable call that is no action's (a sleep, a hook, a child): what identifies it, and what stands for its arguments."""

    identity: str
    key: str
    kind: StepKind
    branch: Branch
    input: Json
    digest: str


def ask(branch: Branch, key: str, kind: StepKind, arguments: Json) -> Asked:
    """Take the next occurrence of the key in the branch."""
    text = encode_payload(arguments, what=f"arguments of {key}")
    return Asked(branch.identify(key), key, kind, branch, arguments, digest(text))


def mismatch(call: Call | Asked, recorded: Step, redacted: frozenset[str]) -> str | None:
    """What differs between the call and its record, side by side; None where they match.

    A step that was copied from another run is taken by its identity alone.
    """
    if recorded.copied_from is not None:
        return None
    if recorded.kind is call.kind and recorded.digest == call.digest:
        return None
    then = f"{recorded.kind} {recorded.key}({_arguments(recorded.input, redacted)})"
    now = f"{call.kind} {call.key}({_arguments(call.input, redacted)})"
    hidden = " (another secret, or a child's key)" if now == then else ""
    return (
        f"step {call.identity} does not match its record: the code, or something it depends on, has changed since.\n"
        f"recorded: {then}\nactual:   {now}{hidden}"
    )


def _arguments(value: Json, redacted: frozenset[str]) -> str:
    shown = redact(value, redacted)
    if isinstance(shown, dict):
        text = ", ".join(f"{name}={json.dumps(part, ensure_ascii=False)}" for name, part in shown.items())
    else:
        text = json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
