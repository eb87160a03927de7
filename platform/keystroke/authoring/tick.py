"""The tick, as the author's code sees it: a poll function that asks for it, and transforms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """One time at which a source looked: its id, the source's slug, the time that it stands for, and the one before it.

    Times are aware UTC datetimes. With `dry_run` nothing of what is found is started. `missed` counts the times in
    between: of a schedule those that nothing was started for, of a poll those at which nobody looked.
    """

    id: str
    source: str
    scheduled_at: datetime
    previous_fire: datetime | None = None
    dry_run: bool = False
    missed: int = 0
