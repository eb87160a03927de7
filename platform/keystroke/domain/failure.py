"""A failure as it is recorded: the `error` payload of a run or a step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from keystroke.domain.secrets import redact_tokens


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of the user's own code on the way to the failure; `path` is relative to the project."""

    path: str
    line: int
    function: str
    code: str

    def as_json(self) -> dict[str, Any]:
        """`{path, line, function, code}`."""
        return {"path": self.path, "line": self.line, "function": self.function, "code": self.code}


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong: exception type, message, status reason, the user's frames, the step's identity."""

    type: str
    message: str
    reason: str | None = None
    stack: tuple[Frame, ...] = ()
    step: str | None = None
    retryable: bool = False

    @property
    def fingerprint(self) -> str:
        """Equal for failures of the same type at the same place: 16 hexadecimal digits.

        The message is left out, since it often names a customer or a time; line numbers too, since they move with
        every edit.
        """
        place = "|".join(f"{frame.path}:{frame.function}:{frame.code}" for frame in self.stack[-3:])
        key = self.step.split("#")[0].split("/")[-1] if self.step else ""
        return hashlib.sha256(f"{self.type}|{key}|{place}".encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The `error` of the run record; without tokens of hooks, since nobody needs them to go on from it."""
        return redact_tokens({
            "type": self.type, "message": self.message, "reason": self.reason,
            "stack": [frame.as_json() for frame in self.stack], "step": self.step,
            "retryable": self.retryable, "fingerprint": self.fingerprint,
        })  # fmt: skip
