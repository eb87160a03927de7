"""One event of a source: a delivery that a webhook received, or a tick of a schedule or a poll. Both are told alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keystroke.clock import rfc3339
from keystroke.domain.actor import Actor
from keystroke.domain.secrets import redact, redact_tokens
from keystroke.domain.source import Outcome, SourceKind

#: What the ids of the two records begin with.
DELIVERY_MARK: Final = "dlv_"
TICK_MARK: Final = "tick_"
#: Origins, with what stands behind them: the id of the backfill, of the tick itself, of the delivery that was sent anew.
BACKFILL: Final = "backfill:"
INVOKED: Final = "invoke:"
REPLAYED: Final = "replay:"
#: The method of a delivery that somebody made by hand.
INVOKE_METHOD: Final = "INVOKE"


@dataclass(frozen=True, slots=True)
class TriggerEvent:
    """A delivery or a tick.

    `outcome` is None while a poll is under way. `origin` is empty for the clock and for what was posted; else `backfill:<id>`,
    `invoke:<id>` (by hand, by `actor`) or `replay:<delivery id>`. `at` is when it happened, `scheduled_at` the time that a tick
    stands for, `missed` how many times before it nothing was fired for. `found` is what a poll has found, or would start.
    `run_ids` name runs that may be deleted by now.
    """

    id: str
    kind: SourceKind
    trigger: str
    trigger_id: str | None
    at: datetime
    outcome: Outcome | None
    run_ids: tuple[str, ...] = ()
    origin: str = ""
    error: Any = None
    scheduled_at: datetime | None = None
    missed: int = 0
    dry_run: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0
    actor: Actor | None = None
    found: Any = None
    trace_id: str | None = None

    @property
    def place(self) -> str:
        """Where it stands among the events of its source, by the time of its making: its id without its mark."""
        return self.id.partition("_")[2]

    def as_json(self, hidden: frozenset[str]) -> dict[str, Any]:
        """As it is served and listed; values under the keys in `hidden` (lower case), and sealed ones, are redacted."""
        shown: dict[str, Any] = redact_tokens({
            "id": self.id, "kind": self.kind, "trigger": self.trigger, "at": rfc3339(self.at),
            "scheduled_at": rfc3339(self.scheduled_at), "outcome": self.outcome, "origin": self.origin,
            "dry_run": self.dry_run, "missed": self.missed, "run_ids": list(self.run_ids), "error": None,
            "started_at": rfc3339(self.started_at), "finished_at": rfc3339(self.finished_at), "attempt": self.attempt,
            "actor": None if self.actor is None else {
                "type": self.actor.type, "id": self.actor.id, "name": self.actor.name,
            },
        })  # fmt: skip
        return shown | {"error": redact(self.error, hidden)}
