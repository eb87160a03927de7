"""A backfill: a schedule fired for the times of a range, as an object with its progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from keystroke.clock import rfc3339
from keystroke.domain.actor import Actor
from keystroke.domain.trigger_event import BACKFILL

BackfillStatus = Literal["running", "completed", "canceled", "failed"]
#: Times that one backfill may have.
MOST_TIMES: Final = 10_000
#: Its runs come after all others that wait.
PRIORITY: Final = -10


@dataclass(frozen=True, slots=True)
class Backfill:
    """`total` times lie in the range (its beginning belongs to it, its end does not): `fired`, `skipped` or `failed` so far.

    Skipped are those for which the schedule had fired, unless it is to `reprocess` them; failed those for which nothing could be
    started. `cursor_at` is the newest time that was
    decided on; `error` why it ended by itself.
    """

    id: str
    project_id: str
    trigger_id: str
    trigger: str
    range_from: datetime
    range_to: datetime
    reprocess: bool
    status: BackfillStatus
    total: int
    fired: int
    skipped: int
    failed: int
    cursor_at: datetime | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    actor: Actor

    @property
    def origin(self) -> str:
        """That of its ticks."""
        return f"{BACKFILL}{self.id}"

    def as_json(self) -> dict[str, Any]:
        """As it is served."""
        return {
            "id": self.id, "trigger": self.trigger, "trigger_id": self.trigger_id, "from": rfc3339(self.range_from),
            "to": rfc3339(self.range_to), "reprocess": self.reprocess, "status": self.status, "total": self.total,
            "fired": self.fired, "skipped": self.skipped, "failed": self.failed, "error": self.error,
            "created_at": rfc3339(self.created_at), "updated_at": rfc3339(self.updated_at),
            "finished_at": rfc3339(self.finished_at),
            "actor": {"type": self.actor.type, "id": self.actor.id, "name": self.actor.name},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill would do: of all times in the range, `skipped` were fired for already; the first of the others."""

    total: int
    skipped: int
    times: tuple[datetime, ...]

    @property
    def fires(self) -> int:
        """For how many times it would fire."""
        return self.total - self.skipped
