"""A step: one recorded call inside a run, and what identifies it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from keystroke.clock import rfc3339
from keystroke.domain.usage import UsageItem

#: Keys of what the context itself records; no action may be named so.
SLEEP_KEY: Final = "sleep"
USAGE_KEY: Final = "usage.add"
RESERVED_KEYS: Final = frozenset({SLEEP_KEY, USAGE_KEY})
#: What the keys of transforms begin with; the source's slug follows.
TRANSFORM_MARK: Final = "transform:"


class StepKind(StrEnum):
    """What kind of call a step records."""

    ACTION = "action"
    SLEEP = "sleep"
    HOOK = "hook"
    WORKFLOW = "workflow"
    TRANSFORM = "transform"


class StepStatus(StrEnum):
    """Where a step is; `success` and `failed` are final and never written again."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    RETRYING = "retrying"


@dataclass(frozen=True, slots=True)
class StepTry:
    """One try of a step that failed and was made again."""

    number: int
    error: dict[str, Any]
    started_at: datetime
    finished_at: datetime

    def as_json(self) -> dict[str, Any]:
        """`{number, error, started_at, finished_at}`."""
        return {
            "number": self.number, "error": self.error,
            "started_at": rfc3339(self.started_at), "finished_at": rfc3339(self.finished_at),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """A step on record. `identity` is branch, key and occurrence (`1/store#0`); `attempt` counts its tries.

    `output` and `input` are JSON values with secrets sealed (`domain.secrets`); `tries` are the failed ones. `event` is the
    number of its latest change among the run's events; 0 where it has not been read from its record.
    """

    identity: str
    key: str
    name: str
    kind: StepKind
    status: StepStatus
    attempt: int
    digest: str
    started_at: datetime
    finished_at: datetime | None = None
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    child_run_id: str | None = None
    copied_from: str | None = None
    tries: tuple[StepTry, ...] = ()
    due_at: datetime | None = None
    now: datetime | None = None
    event: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as it is to be written: with the canonical texts of its input, output, error and tries, and what it cost."""

    step: Step
    texts: dict[str, str | None]
    usage: tuple[UsageItem, ...] = ()

    @property
    def size(self) -> int:
        """The characters of its texts."""
        return sum(len(text) for text in self.texts.values() if text is not None)


@dataclass(frozen=True, slots=True)
class StepState:
    """Where a step is, without its payloads."""

    identity: str
    name: str
    kind: StepKind
    status: StepStatus
    attempt: int
    started_at: datetime
    finished_at: datetime | None


def identity(branch: str, key: str, occurrence: int) -> str:
    """`research#0` in the root branch, `1/store#0` in a branch."""
    call = f"{key}#{occurrence}"
    return f"{branch}/{call}" if branch else call
