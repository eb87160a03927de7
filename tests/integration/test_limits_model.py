"""Starts, claims, ends, suspensions, cancels and recoveries in any order, beside a model of what limits promise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

from hypothesis import Phase
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Completed, HandedBack, Outcome, Suspended
from keystroke.domain.states import Reason
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.unpark_runs import Place, unpark_forgotten
from keystroke.operations.wake_due import wake_due
from keystroke.settings import Settings
from keystroke.store import Database
from support.limited import broken_keys, limited
from support.starts import GREET, Stage, make_stage

_LIMITS = {"free": None, "one": 1, "two": 2}
_EXAMPLES = {"sqlite": 60, "postgresql": 20}
_numbers = count()


@dataclass
class Known:
    """A run as the model knows it; `order` is that of the starts."""

    run_id: str
    workflow: str
    name: str
    priority: int
    order: int
    status: str = "queued"

    @property
    def key(self) -> tuple[str, str]:
        """What it shares its limit with."""
        return (self.workflow, self.name)


class Limits(RuleBasedStateMachine):
    """The store beside the model; each example has a project of its own."""

    leases = Bundle("leases")

    def __init__(self, stage: Stage) -> None:
        """Nothing has been started."""
        super().__init__()
        self.stage = stage
        self.runs: dict[str, Known] = {}

    @rule(
        workflow=st.sampled_from(["one", "one", "two", "free"]),
        name=st.sampled_from("aab"),
        priority=st.sampled_from([0, 0, 5]),
        number=st.integers(1, 3),
    )
    def start(self, workflow: str, name: str, priority: int, number: int) -> None:
        """A few more runs."""
        for _ in range(number):
            started = self.stage.start(workflow, {"name": name}, priority=priority)
            self.runs[started.run_id] = Known(started.run_id, workflow, name, priority, len(self.runs))

    @rule(target=leases)
    def claim(self) -> Lease | None:
        """Whoever comes first of those that have room, parked or not."""
        lease = self.stage.claim()
        expected = self._next()
        assert (lease and lease.run_id) == (expected and expected.run_id)
        if expected is not None:
            expected.status = "running"
        return lease

    @rule(lease=consumes(leases), how=st.sampled_from(["end", "back", "sleep", "lose"]))
    def leave(self, lease: Lease | None, how: str) -> None:
        """An attempt is over in one way or another, unless a cancel has been requested."""
        if lease is None:
            return
        if how == "lose":
            recover_attempt(self.stage.database, lease.run_id, lease.attempt, self.stage.settings)
        else:
            self.stage.finish(lease, _outcome(how))
        run = self.runs[lease.run_id]
        after = {"end": "success", "back": "queued", "sleep": "sleeping", "lose": "queued"}[how]
        run.status = "canceled" if run.status == "canceling" else after

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel any run that has not ended."""
        active = [run for run in self.runs.values() if run.status in ("queued", "running", "sleeping")]
        if not active:
            return
        active.sort(key=lambda run: (run.status, -run.priority, run.order))
        run = active[data.draw(st.integers(0, len(active) - 1))]
        cancel_run(self.stage.database, self.stage.scope, run.run_id, LOCAL_OWNER, self.stage.settings)
        run.status = "canceling" if run.status == "running" else "canceled"

    @rule()
    def wake(self) -> None:
        """All sleepers are due."""
        wake_due(self.stage.database)
        for run in self.runs.values():
            run.status = "queued" if run.status == "sleeping" else run.status

    @rule()
    def look_for_forgotten(self) -> None:
        """The round finds nothing to do: whoever frees a place has given it away."""
        queues, _ = unpark_forgotten(self.stage.database, Place())
        assert self.stage.project.id not in dict(queues)

    @invariant()
    def promises_hold(self) -> None:
        """No limit is exceeded, no place is empty while somebody waits for it and nobody is on his way."""
        assert broken_keys(self.stage) == []

    def _next(self) -> Known | None:
        waiting = [run for run in self.runs.values() if run.status == "queued" and self._has_room(run)]
        return min(waiting, key=lambda run: (-run.priority, run.order), default=None)

    def _has_room(self, run: Known) -> bool:
        at_work = sum(
            other.key == run.key and other.status in ("running", "canceling") for other in self.runs.values()
        )
        limit = _LIMITS[run.workflow]
        return limit is None or at_work < limit


def _outcome(how: str) -> Outcome:
    if how == "sleep":
        return Suspended(Reason.SLEEP, timedelta(microseconds=1))
    return HandedBack() if how == "back" else Completed(1)


def test_limits_keep_their_promises_in_any_order(database: Database, settings: Settings) -> None:
    workflows = [
        replace(GREET, slug=slug) if limit is None else limited(slug, limit)
        for slug, limit in _LIMITS.items()
    ]

    def machine() -> Limits:
        return Limits(make_stage(database, settings, *workflows, project_slug=f"p{next(_numbers)}"))

    run_state_machine_as_test(
        machine,
        settings=effort(
            max_examples=_EXAMPLES[database.backend],
            stateful_step_count=40,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # shrinking takes longer than a test may
        ),
    )
