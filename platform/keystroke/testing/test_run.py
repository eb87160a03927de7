"""A run as a test sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from keystroke.domain.failure import Failure, Frame
from keystroke.domain.run import Progress, Run
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem, total_cost
from keystroke.store import Tx, history
from keystroke.store.recorded_runs import get_recorded_run

if TYPE_CHECKING:
    from keystroke.testing.engine import Engine

#: Spans and log lines that are read of a run: more than a run keeps.
_MOST: Final = 1_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run consumed. `total_cost` is exact; `active` is the time that it worked, by a real clock."""

    items: tuple[UsageItem, ...]
    total_cost: Decimal
    active: timedelta


class Steps(dict[str, Step]):
    """The steps on record by identity (`research#0`), in the order in which they began."""

    def __missing__(self, identity: str) -> Step:
        """Say which steps there are."""
        raise KeyError(f"no step {identity} is on record; there are: {', '.join(self) or 'none'}")


class TestRun:
    """A run. Whatever is asked of it is read when it is asked: after an `advance` it says what is so then."""

    __test__ = False  # pytest: no class of tests

    def __init__(self, engine: Engine, run_id: str) -> None:
        """Made by `TestKit.run`."""
        self._engine = engine
        self.id = run_id

    def __repr__(self) -> str:
        """What has become of the run, for the message of a failed assertion."""
        run, error = self.record, self.error
        reason = f" ({run.status_reason})" if run.status_reason else ""
        why = f": {error.type}: {error.message}" if error else ""
        return f"<run of {run.workflow}: {run.status}{reason}{why}>"

    @property
    def record(self) -> Run:
        """The record as it is kept."""
        return self._read(lambda tx: history.get_run(self._engine.scope, tx, self.id))

    @property
    def workflow(self) -> str:
        """The slug of the workflow."""
        return self.record.workflow

    @property
    def status(self) -> Status:
        """Where the run is: `success`, `failed`, `canceled`; `sleeping` or `waiting_on_hook` while it waits."""
        return self.record.status

    @property
    def status_reason(self) -> Reason | None:
        """Why it has its status."""
        return self.record.status_reason

    @property
    def output(self) -> Any:
        """What the workflow returned, as JSON; secrets in it are readable."""
        return self._engine.opened(self.record.output)

    @property
    def error(self) -> Failure | None:
        """Why it failed: `type`, `message`, `step`, `stack`."""
        error = self.record.error
        if error is None:
            return None
        stack = tuple(Frame(**frame) for frame in error["stack"])
        return Failure(
            error["type"], error["message"], error["reason"], stack, error["step"], error["retryable"]
        )

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return self.record.tags

    @property
    def progress(self) -> Progress | None:
        """What it said last about how far it is: `fraction`, `message`."""
        return self.record.progress

    @property
    def attempts(self) -> int:
        """How often it was executed."""
        return self.record.attempt

    @property
    def recoveries(self) -> int:
        """How often it was taken from an attempt that had died."""
        return self.record.recoveries

    @property
    def steps(self) -> Steps:
        """Its steps by identity, their inputs and outputs as JSON; secrets in them are readable."""
        opened = self._engine.opened
        return Steps(
            {
                each.identity: replace(each, input=opened(each.input), output=opened(each.output))
                for each in self._read(lambda tx: history.list_steps(self._engine.scope, tx, self.id))
            }
        )

    @property
    def usage(self) -> Usage:
        """What it consumed: `items`, `total_cost`, `active`."""
        run = self.record
        return Usage(run.usage, total_cost(run.usage), timedelta(milliseconds=run.active_ms))

    @property
    def logs(self) -> list[LogLine]:
        """What it logged and printed: `body`, `severity`, `step`."""
        found = self._read(lambda tx: history.list_logs(self._engine.scope, tx, self.id, limit=_MOST))
        return [line for _, line in found]

    @property
    def trace(self) -> list[Span]:
        """Its spans."""
        found = self._read(lambda tx: history.list_spans(self._engine.scope, tx, self.id, limit=_MOST))
        return [span for _, span in found]

    @property
    def children(self) -> list[TestRun]:
        """The runs that it has started, in their order."""
        return [TestRun(self._engine, run_id) for run_id in self._engine.all_runs(parent=self.id)]

    def export(self) -> dict[str, Any]:
        """The run as a JSON document: keep it as a file, and `TestKit.replay` compares later code with it."""
        return self._read(lambda tx: get_recorded_run(self._engine.scope, tx, self.id)).as_json()

    def _read(self, what: Callable[[Tx], T]) -> T:
        return self._engine.read(what)
