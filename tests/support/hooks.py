"""Hooks made by hand: a run that asks, and its token as whoever gets the link knows it."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from keystroke.clock import from_micros
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Suspended
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.operations.answer_hook import AnswerTaken, answer_by_token
from keystroke.operations.create_hook import HookRequest, create_hook
from keystroke.store import Database, answers
from keystroke.store.expiry import now as database_now
from support.starts import Stage

#: An approval with a comment that may be left out.
APPROVAL: dict[str, Any] = {
    "type": "object", "title": "Decision",
    "properties": {
        "approved": {"type": "boolean", "title": "Approved"},
        "comment": {"type": "string", "title": "Comment", "default": "", "maxLength": 200},
        "email": {"type": "string", "format": "email", "title": "E-mail"},
    },
    "required": ["approved"],
}  # fmt: skip
#: One that says yes.
YES = {"approved": True}


@dataclass(frozen=True)
class Question:
    """A hook, and what its link ends in."""

    id: str
    token: str
    run_id: str

    @property
    def path(self) -> str:
        """Where the link leads on its server."""
        return f"/hooks/{self.token}"


def now(stage: Stage) -> datetime:
    """The database's time."""
    with stage.database.read() as tx:
        return from_micros(database_now(tx))


def ask(stage: Stage, lease: Lease, name: str = "approval", **how: Any) -> Question:
    """Make a hook of a running run; `how` may hold `schema`, `timeout` and `one_click`."""
    token = "hkt_" + base64.b32encode(secrets.token_bytes(20)).decode().lower()
    options: dict[str, Any] = {"schema": APPROVAL, "timeout": None, "one_click": False, **how}
    request = HookRequest(name=name, token=token, key_id=stage.box.key_id, **options)
    key = f"hook:{name}"
    step = Step(f"{key}#0", key, key, StepKind.HOOK, StepStatus.RUNNING, 1, "d", now(stage))
    recorded = create_hook(stage.database, lease, step, request, stage.settings)
    return Question(recorded.input["hook"], token, lease.run_id)


def wait_for_answer(stage: Stage, lease: Lease, *questions: Question, delay: timedelta | None = None) -> None:
    """The run comes to rest until one of these is answered."""
    hooks = tuple(each.id for each in questions)
    stage.finish(lease, Suspended(Reason.HOOK, delay, hooks))


def waiting(
    stage: Stage, name: str = "approval", *, start: dict[str, Any] | None = None, **how: Any
) -> Question:
    """A run that waits for an answer."""
    lease = stage.start_and_claim(**(start or {}))
    question = ask(stage, lease, name, **how)
    wait_for_answer(stage, lease, question, delay=how.get("timeout"))
    return question


def answer(stage: Stage, question: Question, value: Any = None) -> AnswerTaken:
    """Answer by the token."""
    value = YES if value is None else value
    return answer_by_token(stage.database, question.token, value, "192.0.2.7", stage.settings, stage.box)


def later(stage: Stage, seconds: float) -> Stage:
    """The same stage with a database whose clock is ahead; the caller closes it."""
    settings = replace(stage.settings, clock_offset=stage.settings.clock_offset + seconds)
    return replace(stage, settings=settings, database=Database.from_settings(settings))


def recorded_answer(stage: Stage, question: Question) -> Any:
    """The hook as it is on record, with its run."""
    with stage.database.read() as tx:
        return answers.get_hook(stage.scope, tx, question.id)
