"""A hook: a question that a run asks somebody outside, and the answer that it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from keystroke.domain.actor import Actor


class HookStatus(StrEnum):
    """Where a hook is. `answered` and `expired` are final.

    A hook whose time is over stays `waiting` until its run has taken notice; nobody can answer it any more all the same.
    """

    WAITING = "waiting"
    ANSWERED = "answered"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook on record. `schema` is the JSON Schema of answers, `answer` the JSON value with secrets sealed.

    `awaited` says that the run rests until the answer comes; `key_id` names the secret that its token derives from.
    """

    id: str
    project_id: str
    run_id: str
    step: str
    name: str
    key_id: str
    schema: dict[str, Any]
    one_click: bool
    status: HookStatus
    awaited: bool
    created_at: datetime
    expires_at: datetime | None = None
    answered_at: datetime | None = None
    answer: Any = None
    answered_by: Actor | None = None
    answered_from: str | None = None
