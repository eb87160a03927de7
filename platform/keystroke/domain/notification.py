"""What the installation tells the outside: something needs a person's attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from keystroke.clock import rfc3339

NotificationKind = Literal["schedule.run_failed", "schedule.late", "schedule.paused", "poll.unhealthy"]
#: `pending` until it was accepted, or given up.
NotificationStatus = Literal["pending", "sent", "failed"]
KINDS: Final[tuple[NotificationKind, ...]] = (
    "schedule.run_failed", "schedule.late", "schedule.paused", "poll.unhealthy",
)  # fmt: skip
STATUSES: Final[tuple[NotificationStatus, ...]] = ("pending", "sent", "failed")
#: How long after each failed try the next one comes; after the last it is given up, two days after the first.
PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200, 86_400)
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell, and how telling it went. `attempts` counts tries; `due_at` is the next one's time."""

    id: str
    project: str
    kind: NotificationKind
    source_id: str | None
    run_id: str | None
    data: dict[str, Any]
    status: NotificationStatus
    attempts: int
    created_at: datetime
    due_at: datetime | None
    sent_at: datetime | None
    last_status: int | None
    last_error: str | None

    @property
    def body(self) -> dict[str, Any]:
        """What is posted, the same at each try: `{type, timestamp, data}`, as Standard Webhooks recommends."""
        return {"type": self.kind, "timestamp": rfc3339(self.created_at), "data": self.data}


def pause_after(attempts: int, wanted: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many failed tries, longer where the receiver wants it (up to a day); None: give up."""
    if attempts > len(PAUSES):
        return None
    return min(max(PAUSES[attempts - 1], wanted or timedelta()), PAUSES[-1])
