"""What both contexts can do: everything that does not wait. `contexts` gives it the two faces that authors see."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

from keystroke.authoring.current import inside_action
from keystroke.domain.actor import Trigger
from keystroke.domain.label import check_label, storable
from keystroke.domain.lease import Lease
from keystroke.domain.payload import digest, encode_payload
from keystroke.domain.secrets import open_sealed
from keystroke.domain.step import USAGE_KEY, Step, StepKind, StepStatus
from keystroke.domain.usage import KINDS, UsageItem, UsageKind, exact
from keystroke.errors import NotInWorkflowCode
from keystroke.execution.boundary import Boundary
from keystroke.execution.branches import Branch, current_branch
from keystroke.execution.current_step import current_step
from keystroke.execution.journal import Journal, Phase
from keystroke.execution.seeds import random_number, random_uuid
from keystroke.execution.steps import StepDoors
from keystroke.execution.tags import RunTags

#: Characters of a progress message that are shown.
_LONGEST_MESSAGE: Final = 1_000
Number = Decimal | int | str | float


class RunFacts:
    """The run's facts and its recorded odds and ends, for one attempt."""

    def __init__(self, doors: StepDoors, lease: Lease, journal: Journal, boundary: Boundary) -> None:
        """As the attempt begins."""
        self._doors = doors
        self._lease = lease
        self._journal = journal
        self._boundary = boundary
        self.tags = RunTags(lease.tags, self._record_tags)
        #: What `progress` said last and nobody has written yet.
        self.unwritten_progress: tuple[float | None, str | None] | None = None

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._lease.run_id

    @property
    def workflow(self) -> str:
        """The slug of the workflow."""
        return self._lease.workflow

    @property
    def attempt(self) -> int:
        """Claims so far."""
        return self._lease.attempt

    @property
    def trigger(self) -> Trigger:
        """What started the run, the secrets of its payload readable; each time a copy."""
        trigger, box = self._lease.trigger, self._doors.box
        payload = copy.deepcopy(trigger.payload) if box is None else open_sealed(trigger.payload, box.decrypt)
        return replace(trigger, payload=payload)

    def say_progress(self, fraction: float | None, message: str | None) -> None:
        """Keep the latest progress for the next write; nothing while recorded steps are replayed."""
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError(f"progress is a fraction between 0 and 1, not {fraction!r}")
        if message is not None and not isinstance(message, str):
            raise TypeError(f"the message of progress is text, not {message!r}")
        self._check()
        if self._is_new():
            shown = None if message is None else storable(message, _LONGEST_MESSAGE)
            self.unwritten_progress = (None if fraction is None else float(fraction), shown)

    def now(self) -> datetime:
        """The time, the same one until the next record, which keeps it; inside of an action just the time."""
        if inside_action.get():
            return self._doors.clock()
        branch = self._enter("ctx.now")
        if branch.now is None:
            branch.now = self._journal.recorded_now(branch) or self._doors.clock()
        return branch.now

    def random(self) -> float:
        """See Context."""
        if inside_action.get():
            return random.random()  # noqa: S311 - what authors draw is no secret
        return random_number(self._lease.seed, self._enter("ctx.random").draw("random"))

    def uuid(self) -> UUID:
        """See Context."""
        if inside_action.get():
            return uuid4()
        return random_uuid(self._lease.seed, self._enter("ctx.uuid").draw("uuid"))

    def add_usage(
        self, kind: UsageKind, name: str, quantity: Number, unit: str, cost: Number, currency: str
    ) -> None:
        """Add a line item: to the step that runs, or as a recorded call of its own."""
        item = _usage_item(kind, name, quantity, unit, cost, currency)
        step = current_step.get()
        if step is not None:
            step.usage.append(item)
            return
        branch = self._enter("ctx.usage.add")
        with self._boundary.platform():
            self._record_usage(branch, item)

    def _record_usage(self, branch: Branch, item: UsageItem) -> None:
        identity = branch.identify(USAGE_KEY)
        recorded = self._journal.take(identity)
        if recorded is None:
            at = self._doors.clock()
            described = item.as_json()
            step = Step(
                identity, USAGE_KEY, USAGE_KEY, StepKind.ACTION, StepStatus.SUCCESS, 1,
                digest(encode_payload(described, what="usage")), at, at, input=described, now=branch.now,
            )  # fmt: skip
            self._doors.ledger.record_usage(step, [item])
        branch.note_record(recorded.now if recorded else branch.now)
        self._doors.unwind.leave_if_failed()

    def _record_tags(self, tags: Mapping[str, str]) -> None:
        self._check()
        if self._is_new():
            with self._boundary.platform():
                self._doors.ledger.record_tags(tags)

    def _is_new(self) -> bool:
        return (
            current_step.get() is not None or self._journal.phase(current_branch.get()) is not Phase.REPLAYING
        )

    def _check(self) -> None:
        if not inside_action.get():
            self._doors.unwind.check()

    def _enter(self, call: str) -> Branch:
        branch = current_branch.get()
        if branch is None:
            raise NotInWorkflowCode(call=call)
        self._doors.unwind.check()
        return branch


def _usage_item(
    kind: UsageKind, name: str, quantity: Number, unit: str, cost: Number, currency: str
) -> UsageItem:
    """A checked line item; ValueError names what is wrong."""
    if kind not in KINDS:
        raise ValueError(f"usage kind is {kind!r}; it is one of {', '.join(KINDS)}")
    if not name or not currency:
        raise ValueError("usage needs a name and a currency")
    for what, text in (("name", name), ("unit", unit), ("currency", currency)):
        check_label(text, f"the {what} of usage")
    return UsageItem(kind, name, exact(quantity, "quantity"), unit, exact(cost, "cost"), currency)
