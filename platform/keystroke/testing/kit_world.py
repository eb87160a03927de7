"""The world of a run in a test: time that passes at once, stubs, crashes, and logs that are written when an attempt ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from keystroke.authoring.action import Action
from keystroke.box import Box
from keystroke.domain.lease import Lease
from keystroke.domain.step import Step, StepKind, StepRecord, StepStatus
from keystroke.domain.usage import UsageItem
from keystroke.errors import LeaseLost
from keystroke.execution.flusher import Flushable, Flusher
from keystroke.execution.gate import Gate
from keystroke.execution.ledger import Ledger
from keystroke.execution.step_group import StepGroup
from keystroke.execution.unwinding import Unwind
from keystroke.execution.world import World
from keystroke.operations.create_hook import HookRequest
from keystroke.operations.settle_hook import Expired, Settled
from keystroke.operations.start_child import ChildRequest, ChildStarted
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.testing.crashes import Crashes, When
from keystroke.testing.stubs import Stubs
from keystroke.testing.virtual_clock import VirtualClock


class KitWorld(World):
    """See World."""

    def __init__(self, settings: Settings, clock: VirtualClock, stubs: Stubs, crashes: Crashes) -> None:
        """One for all attempts of a kit."""
        super().__init__(settings)
        self.now = clock.look
        self._clock = clock
        self._stubs = stubs
        self._crashes = crashes
        self._rested = 0.0

    def monotonic(self) -> float:
        """The real one's, and what was rested without waiting."""
        return time.monotonic() + self._rested

    def rest(self, seconds: float) -> None:
        """The time passes at once."""
        self._rested += seconds
        self._clock.pass_by(timedelta(seconds=seconds))

    async def rest_async(self, seconds: float) -> None:
        """The same, and the other tasks get their turn."""
        self.rest(seconds)
        await asyncio.sleep(0)

    def jitter(self) -> float:
        """Pauses are as long as they may be, in every test run alike."""
        return 1.0

    def body(self, action: Action[..., Any]) -> Callable[..., Any]:
        """The action's function, or its stub."""
        return self._stubs.body(action, self.rest)

    def flusher(self) -> Flusher:
        """No thread: what an attempt has said is written when it ends, dead or alive."""
        return _AtTheEnd()

    def ledger(
        self, database: Database, lease: Lease, settings: Settings, gate: Gate, unwind: Unwind
    ) -> Ledger:
        """The real one, which looks out for crashes."""
        return _MortalLedger(database, lease, settings, gate, unwind, self._crashes)


class _AtTheEnd(Flusher):
    @contextmanager
    def watching(self, flushable: Flushable) -> Iterator[None]:
        """See Flusher."""
        try:
            yield
        finally:
            flushable.flush()


class _PatientGroup(StepGroup):
    def add(self, record: StepRecord) -> None:
        """See StepGroup: nobody is woken to write it."""
        with self._lock:
            self._gathered.append(record)
            self._bytes += record.size


class _MortalLedger(Ledger):
    """Where a crash is asked for the attempt writes nothing any more, and leaves user code: as if it had lost its run."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        settings: Settings,
        gate: Gate,
        unwind: Unwind,
        crashes: Crashes,
    ) -> None:
        super().__init__(database, lease, settings, gate, unwind)
        self._crashes = crashes

    def record(self, step: Step, usage: Sequence[UsageItem] = ()) -> None:
        """See Ledger."""
        is_final = step.status in (StepStatus.SUCCESS, StepStatus.FAILED)
        if is_final and step.kind in (StepKind.ACTION, StepKind.TRANSFORM):
            self._die_if_asked("before", step)
        super().record(step, usage)
        if is_final:
            self._die_if_asked("after", step)

    def relax(self) -> None:
        """Records of a relaxed workflow are written where something forces it, never by the clock: every time alike."""
        self._group = _PatientGroup(lambda: None)

    def begin_sleep(self, step: Step, duration: timedelta | None) -> timedelta | None:
        """See Ledger."""
        self._die_if_asked("before", step)
        left = super().begin_sleep(step, duration)
        self._die_if_over(step, is_over=left is None)
        return left

    def end_sleep(self, step: Step) -> timedelta | None:
        """See Ledger."""
        left = super().end_sleep(step)
        self._die_if_over(step, is_over=left is None)
        return left

    def create_hook(self, step: Step, request: HookRequest) -> Step:
        """See Ledger."""
        self._die_if_asked("before", step)
        return super().create_hook(step, request)

    def settle_hook(self, expired: Step) -> Settled:
        """See Ledger."""
        settled = super().settle_hook(expired)
        self._die_if_over(expired, is_over=isinstance(settled, Expired))
        return settled

    def start_child(self, step: Step, request: ChildRequest, box: Box | None) -> ChildStarted:
        """See Ledger."""
        self._die_if_asked("before", step)
        return super().start_child(step, request, box)

    def settle_children(self, ended: Sequence[Step]) -> None:
        """See Ledger."""
        super().settle_children(ended)
        for step in ended:
            self._die_if_asked("after", step)

    def record_usage(self, call: Step, items: Sequence[UsageItem]) -> None:
        """See Ledger."""
        self._die_if_asked("before", call)
        super().record_usage(call, items)
        self._die_if_asked("after", call)

    def _die_if_asked(self, when: When, step: Step) -> None:
        attempt = (self._lease.run_id, self._lease.attempt)
        if self._crashes.strikes(when, step, attempt):
            self._group = None  # what was not written yet has died, too
            self._unwind.leave(LeaseLost(run_id=attempt[0], attempt=attempt[1]))

    def _die_if_over(self, wait: Step, *, is_over: bool) -> None:
        if is_over:
            self._die_if_asked("after", wait)
