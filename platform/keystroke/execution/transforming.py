"""What a run behind a transform does first: its attachment makes the input from the trigger's payload, as a recorded step.

The step is tried once, and its result is the workflow's input. Whatever comes of it is on record: it is executed again only
where it was lost with its worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from keystroke.authoring.codec import Codec
from keystroke.authoring.project import LoadedProject
from keystroke.authoring.request import Headers, Request
from keystroke.authoring.source import AttachedWorkflow, Source
from keystroke.authoring.tick import Tick
from keystroke.box import Box
from keystroke.domain.actor import Trigger
from keystroke.domain.delivery import Delivery
from keystroke.domain.lease import Lease
from keystroke.domain.payload import Json, digest, encode_payload
from keystroke.domain.retry import Backoff
from keystroke.domain.step import TRANSFORM_MARK, Step, StepKind, StepStatus
from keystroke.errors import TransformGone
from keystroke.execution.bodies import Bodies
from keystroke.execution.branches import Branch
from keystroke.execution.rebuilding import rebuild
from keystroke.execution.steps import StepDoors, StepRun

_ONCE: Final = Backoff()
#: Gives the delivery that started the run.
ReadDelivery = Callable[[], Delivery]


@dataclass(frozen=True, slots=True)
class Transform:
    """An attachment's transform in the place of an action: one try, and its result is the input of the workflow."""

    source: str
    function: Callable[[], Any]
    result: Codec
    retries: int = 0
    retry_on: tuple[type[BaseException], ...] | None = None
    backoff: Backoff = _ONCE
    timeout: timedelta | None = None

    @property
    def key(self) -> str:
        """What the step is known by; no action's name holds a colon."""
        return f"{TRANSFORM_MARK}{self.source}"

    @property
    def name(self) -> str:
        """As people read it."""
        return f"transform of {self.source}"


@dataclass(frozen=True, slots=True)
class TransformCall:
    """The one call of a transform. Its arguments are the trigger's, which are on record with the run."""

    action: Transform
    digest: str
    branch: Branch = field(default_factory=Branch)
    input: Json = None
    kind: StepKind = StepKind.TRANSFORM

    @property
    def identity(self) -> str:
        """`transform:signup#0`."""
        return f"{self.action.key}#0"

    def run_body(self, _find: Callable[..., Any]) -> Any:
        """Nothing stands in for a transform."""
        return self.action.function()


def split_transform(steps: Sequence[Step]) -> tuple[Step | None, list[Step]]:
    """The record of the transform, and those of the calls that the function makes."""
    recorded = next((step for step in steps if step.kind is StepKind.TRANSFORM), None)
    return recorded, [step for step in steps if step is not recorded]


def make_input(
    project: LoadedProject,
    lease: Lease,
    recorded: Step | None,
    doors: StepDoors,
    bodies: Bodies,
    read: ReadDelivery,
) -> Any:
    """The valid input of a run behind a transform: what is on record of it, or else what the transform makes now.

    Raises what the transform raised, TransformGone, or what is wrong with the payload or the result.
    """
    codec = project.workflows[lease.workflow].input
    if recorded is None or recorded.status not in (StepStatus.SUCCESS, StepStatus.FAILED):
        return bodies.tell(StepRun(doors, _call(project, lease, doors.box, codec, read), None).story())
    if recorded.error is not None:
        raise rebuild(recorded.error, doors.modules)
    return codec.load(recorded.output, doors.box, "recorded input")


def _call(
    project: LoadedProject, lease: Lease, box: Box | None, codec: Codec, read: ReadDelivery
) -> TransformCall:
    named = lease.behind_transform or ""
    source, attached = _attachment(project, named, lease.workflow)
    function = attached.transform
    assert function is not None, "looked at by _attachment"

    def transform() -> Any:
        payload = source.payload.load(lease.trigger.payload, box, f"payload of {source.subject}")
        return function(payload, event) if attached.takes_event else function(payload)

    event = _event(source, lease.trigger, read) if attached.takes_event else None
    return TransformCall(
        Transform(source.slug, transform, codec), digest(encode_payload(named, what="attachment"))
    )


def _attachment(project: LoadedProject, named: str, workflow: str) -> tuple[Source, AttachedWorkflow]:
    source = project.sources.get(named.partition(":")[0])
    for each in source.attachments if source is not None else ():
        if each.workflow.slug == workflow and each.transform is not None:
            assert source is not None
            return source, each
    raise TransformGone(attachment=named)


def _event(source: Source, trigger: Trigger, read: ReadDelivery) -> Request | Tick:
    if source.kind == "webhook":
        return _request(read())
    at = trigger.scheduled_at or trigger.fired_at
    assert at is not None, "a tick stands for a time"
    return Tick(trigger.id or "", source.slug, at, trigger.previous_fire, missed=trigger.missed or 0)


def _request(delivery: Delivery) -> Request:
    return Request(
        delivery.id, delivery.method, Headers(delivery.headers), dict(delivery.query), delivery.received_at,
        delivery.remote_addr,
    )  # fmt: skip
