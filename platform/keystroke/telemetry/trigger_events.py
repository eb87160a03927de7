"""The catalogue's part on triggers: deliveries, ticks, secrets, notifications. `keystroke.telemetry.events` has these, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keystroke.telemetry.event import Event, Level


@dataclass(frozen=True, slots=True)
class ScheduleTimesMissed(Event):
    """The schedule {trigger} has missed {missed} of its times: nothing is started for them."""

    level: ClassVar[Level] = "warning"
    trigger: str
    missed: int


@dataclass(frozen=True, slots=True)
class SchedulePaused(Event):
    """The schedule {trigger} is paused until somebody resumes it: {failures} of its runs in a row have failed."""

    level: ClassVar[Level] = "error"
    trigger: str
    failures: int


@dataclass(frozen=True, slots=True)
class TickClaimed(Event):
    """Claimed {tick_id}, attempt {attempt}, of {source}."""

    level: ClassVar[Level] = "debug"
    tick_id: str
    attempt: int
    source: str


@dataclass(frozen=True, slots=True)
class TickFinished(Event):
    """Attempt {attempt} of {tick_id}, of {source}, ended: {status}."""

    level: ClassVar[Level] = "debug"
    tick_id: str
    attempt: int
    source: str
    status: str


@dataclass(frozen=True, slots=True)
class SecretNotRead(Event):
    """The secret {secret} cannot be read, so nothing is verified by it ({why})."""

    level: ClassVar[Level] = "error"
    secret: str
    why: str


@dataclass(frozen=True, slots=True)
class DeliveryReceived(Event):
    """Delivery {delivery_id} to {endpoint} of project {project}: {outcome}. Runs: {runs}."""

    level: ClassVar[Level] = "debug"
    delivery_id: str
    project: str
    endpoint: str
    outcome: str
    runs: int


@dataclass(frozen=True, slots=True)
class DeliveryWasRefused(Event):
    """A delivery from {sender} to {endpoint} of project {project} was refused: its sender is not known."""

    project: str
    endpoint: str
    sender: str


@dataclass(frozen=True, slots=True)
class NotificationNotSent(Event):
    """Notification {notification_id} ({kind}) was not accepted, try {attempt}: {why}; it is tried again."""

    level: ClassVar[Level] = "warning"
    notification_id: str
    kind: str
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class NotificationGivenUp(Event):
    """Notification {notification_id} ({kind}) was not accepted in {attempt} tries and is given up: {why}."""

    level: ClassVar[Level] = "error"
    notification_id: str
    kind: str
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class ScheduleLate(Event):
    """Of the schedule {trigger} no run has succeeded in time."""

    level: ClassVar[Level] = "error"
    trigger: str


@dataclass(frozen=True, slots=True)
class BackfillCarriedOut(Event):
    """Backfill {backfill_id} of {trigger} is {status}: {fired} of {total} times were fired for."""

    backfill_id: str
    trigger: str
    status: str
    fired: int
    total: int


@dataclass(frozen=True, slots=True)
class OldEventsDeleted(Event):
    """{records} deliveries, ticks and what belongs to them were deleted, their retention being over."""

    records: int
