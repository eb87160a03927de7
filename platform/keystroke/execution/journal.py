"""What earlier attempts recorded, and how far this one has come in it."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from keystroke.domain.step import Step, StepStatus
from keystroke.execution.branches import Branch, branch_of

#: Behind every event on record.
LAST: Final = sys.maxsize


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
        events = (step for step in steps if step.copied_from is None)
        self._turns = sorted(((step.event, step.identity) for step in events), reverse=True)
        self._on_turn: Callable[[int], None] | None = None
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
            turn = self._next_turn()
        if goes_live:
            self._on_live()
        if self._on_turn is not None:
            self._on_turn(turn)
        return record

    def tell_turns(self, on_turn: Callable[[int], None]) -> None:
        """Call `on_turn` with the number of the first event that the attempt has still to come by, whenever it comes by one."""
        self._on_turn = on_turn

    def turn_of(self, step: Step) -> int:
        """The number of the event up to which other records come before the end of this call; 0: none has to.

        What was on record by then had begun without it: code that is executed again has to begin that first, or else it could be
        told in another order than before which of several calls has ended.
        """
        if step.copied_from is not None or not step.event:
            return 0
        return LAST if step.status is StepStatus.RUNNING or self.settled_now(step.identity) else step.event

    def is_turn(self, turn: int) -> bool:
        """Whether the attempt has come by everything that was on record before that event."""
        with self._lock:
            return turn <= self._next_turn()

    def forgo_turns(self) -> None:
        """The code does not come by all records any more: nobody waits for that."""
        with self._lock:
            self._turns.clear()

    def _next_turn(self) -> int:
        while self._turns and self._turns[-1][1] not in self._records:
            self._turns.pop()
        return self._turns[-1][0] if self._turns else LAST

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
