"""How a source is doing, as one word with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from keystroke.clock import rfc3339
from keystroke.domain.source import UNTIL_RESUMED

HealthStatus = Literal["ok", "unhealthy", "paused", "disabled", "retired"]
#: Failures in a row from which on a source that does not say so itself is unhealthy.
UNHEALTHY_AFTER: Final = 3


class Standing(Protocol):
    """What of a source its health depends on."""

    @property
    def retired_at(self) -> datetime | None:
        """Since when the code has it no longer."""

    @property
    def disabled_at(self) -> datetime | None:
        """Since when an operator has switched it off."""

    @property
    def paused(self) -> bool:
        """Whether it rests at the moment."""

    @property
    def paused_until(self) -> datetime | None:
        """Until when."""

    @property
    def pause_reason(self) -> str | None:
        """And why."""

    @property
    def failures(self) -> int:
        """How many times in a row it has failed."""


@dataclass(frozen=True, slots=True)
class Health:
    """`why` is a sentence for people, None while all is well; `until` is when a pause ends by itself."""

    status: HealthStatus
    why: str | None = None
    until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """`{status, why, until}`."""
        return {"status": self.status, "why": self.why, "until": rfc3339(self.until)}


def health_of(source: Standing, options: Mapping[str, Any], trouble: str | None = None) -> Health:
    """The first of these that holds: retired, disabled, paused, unhealthy, ok. `trouble` is what else is wrong with it."""
    if source.retired_at is not None:
        return Health("retired", "The code that is deployed now does not have it.")
    if source.disabled_at is not None:
        return Health("disabled", "An operator has disabled it.")
    if source.paused:
        until = None if source.paused_until == UNTIL_RESUMED else source.paused_until
        return Health("paused", source.pause_reason, until)
    if trouble is not None:
        return Health("unhealthy", trouble)
    if source.failures >= (options.get("unhealthy_after") or UNHEALTHY_AFTER):
        return Health("unhealthy", f"The last {source.failures} in a row have failed.")
    return Health("ok")
