"""Whether this beat does its rounds, for whoever supervises it."""

from __future__ import annotations

from typing import Final

from keystroke.settings import Settings
from keystroke.telemetry.health import HealthServer, silence
from keystroke_beat.scheduler import RoundsScheduler

#: Seconds without a round that succeeded before the beat calls itself unready; several are due in each of them.
_LONGEST: Final = 15.0


def make_health(settings: Settings, scheduler: RoundsScheduler) -> HealthServer | None:
    """`/healthz` and `/readyz` of a beat, where an address for them is configured."""
    if not settings.health_listen:
        return None
    return HealthServer(settings.health_listen, silence(lambda: scheduler.last_success, _LONGEST, "round"))
