"""Who did it, and what started a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

ActorType = Literal["user", "api_key", "trigger", "workflow", "system"]
TriggerType = Literal["api", "cli", "webhook", "schedule", "poll", "workflow_tool", "replay"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever starts, cancels or changes something: kind, id and a name that people recognise."""

    type: ActorType
    id: str
    name: str


#: The person at a machine that has no API keys yet.
LOCAL_OWNER = Actor("user", "local", "local owner")
#: Whoever answers a hook by its link: the link is all that is known of him.
LINK_HOLDER = Actor("user", "hook-link", "holder of the link")
#: The platform itself: recovery, retention, waking.
SYSTEM = Actor("system", "keystroke", "Keystroke")


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started a run: `label` reads well, `value` is the raw value, `payload` what came with it.

    `id` is that of the delivery or the tick. Of a schedule's run `scheduled_at` is the time that it stands for, `previous_fire`
    the one before, and `missed` how many times in between nothing was started for.
    """

    type: TriggerType
    label: str
    value: str | None = None
    id: str | None = None
    payload: Any = None
    fired_at: datetime | None = None
    scheduled_at: datetime | None = None
    previous_fire: datetime | None = None
    missed: int | None = None
