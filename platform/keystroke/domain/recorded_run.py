"""A run as it is on record, true enough to be executed again up to where it stands: its input and its steps, secrets sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from keystroke.clock import rfc3339
from keystroke.domain.actor import Trigger
from keystroke.domain.states import Status
from keystroke.domain.step import Step, StepKind, StepStatus, StepTry

#: Fields of a step that are as they are in JSON.
_PLAIN = (
    "identity", "key", "name", "attempt", "digest", "input", "output", "error", "child_run_id", "copied_from", "event",
)  # fmt: skip
_TRIGGER_TIMES = ("fired_at", "scheduled_at", "previous_fire")
_UNKNOWN = Trigger("replay", "Rehearsal")
_TIMES = ("started_at", "finished_at", "due_at", "now")


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What a rehearsal needs. `input` and the steps hold sealed secrets; `admitted`: the input was validated by an attempt.

    `attempt` counts the claims so far, `deployment` is the code version that ran it last; `trigger` is what `ctx.trigger` tells.
    """

    id: str
    workflow: str
    status: Status
    attempt: int
    input: Any
    admitted: bool
    seed: str
    steps: tuple[Step, ...]
    tags: dict[str, str] = field(default_factory=dict)
    deployment: str | None = None
    trigger: Trigger = _UNKNOWN

    def as_json(self) -> dict[str, Any]:
        """The document that a rehearsal elsewhere reads."""
        return {
            "id": self.id, "workflow": self.workflow, "status": self.status.value, "attempt": self.attempt,
            "input": self.input, "admitted": self.admitted, "seed": self.seed, "tags": self.tags,
            "deployment": self.deployment, "trigger": _trigger_json(self.trigger),
            "steps": [_step_json(step) for step in self.steps],
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RecordedRun:
        """Read what `as_json` gave. KeyError or ValueError where it is something else."""
        return cls(
            id=data["id"], workflow=data["workflow"], status=Status(data["status"]), attempt=data["attempt"],
            input=data["input"], admitted=data["admitted"], seed=data["seed"], tags=dict(data["tags"]),
            deployment=data["deployment"], trigger=_trigger(data.get("trigger")),
            steps=tuple(_step(each) for each in data["steps"]),
        )  # fmt: skip


def _trigger_json(trigger: Trigger) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(trigger, name) for name in Trigger.__slots__}
    return plain | {name: rfc3339(plain[name]) for name in _TRIGGER_TIMES}


def _trigger(data: dict[str, Any] | None) -> Trigger:
    """Of a document that an earlier version has written nothing is known."""
    if data is None:
        return _UNKNOWN
    times = {name: _time(data[name]) for name in _TRIGGER_TIMES}
    return Trigger(**{**data, **times})


def _step_json(step: Step) -> dict[str, Any]:
    return {
        **{name: getattr(step, name) for name in _PLAIN},
        **{name: rfc3339(getattr(step, name)) for name in _TIMES},
        "kind": step.kind.value,
        "status": step.status.value,
        "tries": [each.as_json() for each in step.tries],
    }


def _step(data: dict[str, Any]) -> Step:
    plain: dict[str, Any] = {name: data[name] for name in _PLAIN}
    times: dict[str, Any] = {name: _time(data[name]) for name in _TIMES}
    tries = tuple(
        StepTry(
            each["number"],
            each["error"],
            datetime.fromisoformat(each["started_at"]),
            datetime.fromisoformat(each["finished_at"]),
        )
        for each in data["tries"]
    )
    return Step(**plain, **times, kind=StepKind(data["kind"]), status=StepStatus(data["status"]), tries=tries)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
