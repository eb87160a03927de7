"""What earlier attempts recorded, and how far this one has come in it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

from keystroke.domain.step import Step, StepStatus
from keystroke.execution.branches import Branch, branch_of


class Phase(StrEnum):
    """Where code is: before recorded steps, past the last of them, or executing new ones."""

    REPLAYING = "replaying"
    PAST_RECORDS = "past_records"
    LIVE = "live"


class Journal:
    """The records that the attempt has not come by yet, in the order of their start."""

    def __init__(self, steps: Sequence[Step], on_live: Callable[[], None]) -> None:
        """`on_live` is called when the first step begins that is not on record."""
        self._records = {step.identity: step for step in steps}
        # Not the copies of another run's: what was said between them is not on record here, and with another input the code
        # may never come by them.
        self._ahead = Counter(branch_of(step.identity) for step in steps if step.copied_from is None)
        self._settled: set[str] = set()
        self._is_live = not steps
        self._on_live = on_live
        self._lock = threading.Lock()

    def take(self, identity: str) -> Step | None:
        """What is on record of this call: a final record, one that waits for its next try, or nothing."""
        with self._lock:
            record = self._records.pop(identity, None)
            if record is not None and record.copied_from is None:
                self._ahead[branch_of(identity)] -= 1
            goes_live = not self._is_live and (record is None or record.status is StepStatus.RETRYING)
            self._is_live = self._is_live or goes_live
        if goes_live:
            self._on_live()
        return record

    @property
    def ahead(self) -> tuple[str, ...]:
        """The identities of the records that the attempt has not come by."""
        with self._lock:
            return tuple(self._records)

    def open_children(self) -> list[Step]:
        """The records of children that were started, and whose ends are not on record."""
        with self._lock:
            return [
                step
                for step in self._records.values()
                if step.child_run_id and step.status is StepStatus.RUNNING
            ]

    def settle(self, steps: Sequence[Step]) -> None:
        """Ends of children were recorded now: these are their records from here on."""
        with self._lock:
            self._records.update({step.identity: step for step in steps})
            self._settled.update(step.identity for step in steps)

    def settled_now(self, identity: str) -> bool:
        """Whether the end of that child was recorded by this attempt: earlier ones have not come past it."""
        return identity in self._settled

    def go_live(self) -> None:
        """A wait that is on record as begun goes on: what comes next was never said before."""
        with self._lock:
            goes_live, self._is_live = not self._is_live, True
        if goes_live:
            self._on_live()

    def phase(self, branch: Branch | None) -> Phase:
        """Where that branch is; without one, where the attempt is."""
        if self._is_live:
            return Phase.REPLAYING if branch is not None and self._ahead[branch.path] > 0 else Phase.LIVE
        return Phase.REPLAYING if self._records else Phase.PAST_RECORDS

    def recorded_now(self, branch: Branch) -> datetime | None:
        """What `ctx.now()` said at this place: it went with the next record, of this branch or of one that it starts."""
        with self._lock:
            records = list(self._records.values())
        places = ((step, branch_of(step.identity)) for step in records)
        following = (step for step, place in places if place == branch.path or branch.is_ahead(place))
        first = next(following, None)
        return first.now if first else None
