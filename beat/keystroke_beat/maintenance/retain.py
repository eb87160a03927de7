"""Delete what has been kept long enough, and prepare the partitions of the days to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keystroke.operations.retention import delete_expired, delete_old_events, ensure_partitions
from keystroke.telemetry import announce
from keystroke.telemetry.events import ExpiredRunsDeleted, OldEventsDeleted
from keystroke_beat.maintenance.round import Means

_HOUR: Final = 3600.0
_BATCH: Final = 1000
_MOST_BATCHES: Final = 20


@dataclass(frozen=True, slots=True)
class DeleteExpired:
    """A batch at a time, a minute apart, so that a large backlog does not keep the database from its work."""

    every: float = 60.0

    def run(self, means: Means) -> None:
        """Delete one batch of expired runs with all they own."""
        deleted = delete_expired(means.database, _BATCH)
        if deleted:
            announce(ExpiredRunsDeleted(runs=deleted))


@dataclass(frozen=True, slots=True)
class DeleteOldEvents:
    """What comes with every post and every tick is a lot: several batches in a round, each a transaction of its own."""

    every: float = 60.0

    def run(self, means: Means) -> None:
        """Delete until there is less than a batch."""
        total = 0
        for _ in range(_MOST_BATCHES):
            deleted = delete_old_events(means.database, means.settings, _BATCH)
            total += deleted
            if deleted < _BATCH:
                break
        if total:
            announce(OldEventsDeleted(records=total))


@dataclass(frozen=True, slots=True)
class EnsurePartitions:
    """Spans and logs are kept in partitions by day; those of the next days have to be there before their day begins."""

    every: float = _HOUR

    def run(self, means: Means) -> None:
        """Make the missing ones, drop the expired ones."""
        ensure_partitions(means.database, means.settings)
