"""A hook as whoever may answer it sees it: together with the run that asks, and never with its token."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from keystroke.clock import rfc3339
from keystroke.domain.hook import Hook, HookStatus
from keystroke.domain.presentation import actor_json
from keystroke.domain.secrets import redact_tokens
from keystroke.domain.states import Status


class AskingStatus(StrEnum):
    """Whether a hook takes an answer, by the clock of the database and the state of its run: only `waiting` ones do."""

    WAITING = "waiting"
    ANSWERED = "answered"
    #: Nobody answered in time.
    EXPIRED = "expired"
    #: Its run has ended without the answer.
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Asking:
    """A hook and its run; `project` is a slug, `over` says that its time to be answered has passed."""

    hook: Hook
    organization_id: str
    project: str
    workflow: str
    workflow_name: str
    run_status: Status
    over: bool

    @property
    def status(self) -> AskingStatus:
        """Whether it can be answered."""
        if self.hook.status is HookStatus.ANSWERED:
            return AskingStatus.ANSWERED
        if self.over or self.hook.status is HookStatus.EXPIRED:
            return AskingStatus.EXPIRED
        return AskingStatus.ENDED if self.run_status.terminal else AskingStatus.WAITING

    def as_json(self) -> dict[str, Any]:
        """The hook as the API gives it; the answer itself is the output of its step."""
        hook = self.hook
        return redact_tokens({
            "id": hook.id, "name": hook.name, "status": self.status, "run_id": hook.run_id, "step": hook.step,
            "workflow": self.workflow, "workflow_name": self.workflow_name, "project": self.project, "schema": hook.schema,
            "one_click": hook.one_click, "awaited": hook.awaited, "created_at": rfc3339(hook.created_at),
            "expires_at": rfc3339(hook.expires_at), "answered_at": rfc3339(hook.answered_at),
            "answered_by": actor_json(hook.answered_by) if hook.answered_by else None,
            "answered_from": hook.answered_from,
        })  # fmt: skip
