"""The test kit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from keystroke.authoring.action import Action
from keystroke.authoring.source import Source
from keystroke.authoring.workflow import Workflow
from keystroke.box import Box
from keystroke.domain.durations import Duration, parse_duration
from keystroke.domain.payload import encode_payload
from keystroke.domain.states import Status
from keystroke.errors import NotJson
from keystroke.testing.answering import answer_json
from keystroke.testing.crashes import Crash, Crashes
from keystroke.testing.definitions import Definitions
from keystroke.testing.engine import Engine
from keystroke.testing.problems import KitProblem
from keystroke.testing.recordings import Replayed, read_recording, replay
from keystroke.testing.stubs import NOTHING, Stub, Stubs
from keystroke.testing.test_event import TestEvent, deliver, fire
from keystroke.testing.test_run import TestRun

_MOST_SKIPS: Final = 10_000


class TestKit:
    """Runs workflows in this process, on an empty database in memory, by a clock that stands still until it is moved.

    The engine is the one that workers have; nothing of it is replaced but the time and what the test says.
    """

    __test__ = False  # pytest: no class of tests

    def __init__(self, now: datetime | None = None) -> None:
        """At this time; by default the present one, to the second."""
        self._engine = Engine(now or datetime.now(UTC).replace(microsecond=0), Stubs(), Crashes())
        self._definitions = Definitions()

    def __enter__(self) -> Self:
        """The kit."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the memory back."""
        self._engine.close()

    @property
    def now(self) -> datetime:
        """The kit's time, in UTC. It can be set as long as nothing was run; after that there is `advance`."""
        return self._engine.clock.time

    @now.setter
    def now(self, value: datetime) -> None:
        if self._engine.runs:
            raise KitProblem(what="the time can be set before the first run only; use advance after that")
        self._engine.close()
        stubs, crashes = self._engine.stubs, self._engine.crashes
        self._engine = Engine(value, stubs, crashes)

    @property
    def runs(self) -> list[TestRun]:
        """Every run there is, children too, in the order of their starts."""
        return [TestRun(self._engine, run_id) for run_id in self._engine.all_runs()]

    def run(
        self,
        workflow: Workflow[..., Any],
        input: Any = None,
        *,
        tags: Mapping[str, str] | None = None,
        skip_time: bool = False,
    ) -> TestRun:
        """Start a run and execute it, and its children, until nothing can go on at this time.

        `input` is JSON, or what the workflow's parameter takes. `skip_time` moves the time on until the run has ended or
        waits for a hook; otherwise sleeps and longer pauses wait for `advance`. Raises InvalidInput where the input does not
        fit, DefinitionError where a definition is faulty; what the workflow raises is the run's `error`.
        """
        run = self.start(workflow, input, tags=tags)
        self._settle()
        for _ in range(_MOST_SKIPS if skip_time else 0):
            if run.status.terminal or run.status is Status.WAITING_ON_HOOK or not self._engine.skip_to_next():
                break
        self._refuse_missed_crashes()
        return run

    def start(
        self, workflow: Workflow[..., Any], input: Any = None, *, tags: Mapping[str, str] | None = None
    ) -> TestRun:
        """Start a run without executing it: `settle`, `advance` or the next `run` does."""
        self._deploy(workflow)
        run_id = self._engine.start(workflow.slug, _as_json(workflow, input), dict(tags or {}))
        return TestRun(self._engine, run_id)

    def deliver(
        self,
        webhook: Source,
        payload: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> TestEvent:
        """Post a payload to a webhook, as somebody whose signature is good, and execute the runs that it starts.

        `payload` is JSON, a model, or the `bytes` of a body of any kind (say which by the header `content-type`). Schema,
        `match`, duplicates and rates are applied as by a server. Raises DeliveryRateLimited.
        """
        return self._brought(webhook, lambda: deliver(self._engine, webhook, payload, headers, query))

    def fire(self, source: Source, payload: Any = NOTHING) -> TestEvent:
        """Fire a source by hand, a schedule with its own payload unless one is given, and execute the runs that it starts.

        Raises InvalidPayload.
        """
        return self._brought(source, lambda: fire(self._engine, source, payload))

    def tick(self, poll: Source) -> TestEvent:
        """Have a poll look for something new, and execute the runs that this starts. Its state is kept from tick to tick."""
        return self._brought(poll, lambda: fire(self._engine, poll, NOTHING))

    def _brought(self, source: Source, bring: Callable[[], TestEvent]) -> TestEvent:
        if not isinstance(source, Source):
            raise TypeError(f"a source is made by webhook, schedule or @poll; this is {source!r}")
        if self._definitions.add_source(source):
            self._engine.deploy(self._definitions.project())
        self._engine.stubs.check(self._definitions.actions)
        event = bring()
        self._settle()
        return event

    def settle(self) -> None:
        """Execute whatever can go on at this time."""
        self._settle()

    def advance(self, time: Duration | datetime) -> None:
        """Let time pass, or go to a time: what falls due on the way wakes at its own time, and goes on."""
        clock = self._engine.clock
        duration = time - clock.time if isinstance(time, datetime) else parse_duration(time)
        if duration.total_seconds() < 0:
            raise KitProblem(what=f"it is {clock.time.isoformat()} already: the time goes forward only")
        self._engine.advance(clock.after(duration))
        self._refuse_missed_crashes()

    def answer(self, hook: str, value: Any = None, *, run: TestRun | None = None) -> None:
        """Answer a hook, by its name (`approval`), its step (`hook:approval#0`) or its link; the run goes on.

        The answer is checked as a real one is: InvalidAnswer, HookAnswered, HookExpired, HookEnded. `run`: where several ask.
        """
        self._engine.answer(hook, answer_json(value), None if run is None else run.id)
        self._refuse_missed_crashes()

    def cancel(self, run: TestRun) -> None:
        """Cancel a run, as somebody would in the web pages. Raises RunEnded."""
        self._engine.cancel(run.id)

    def stub(
        self,
        action: str | Action[..., Any],
        *,
        returns: Any = NOTHING,
        raises: BaseException | type[BaseException] = NOTHING,
        calls: Callable[..., Any] = NOTHING,
        times: int | None = None,
        takes: Duration = 0,
    ) -> Stub:
        """Have calls of an action answered by the test: with a value, an exception, or a function in the action's place.

        `times`: only the next so many calls; what comes after goes to an earlier stub, or to the action. `takes`: how long the
        call takes by the kit's clock, which counts for the timeouts of the action and of the workflow. What it returns is
        checked and recorded as the action's result would be. The newest stub of an action comes first.
        """
        if isinstance(action, Action):
            self._definitions.actions[action.name] = action
        name = action.name if isinstance(action, Action) else action
        answers = {"returns": returns, "raises": raises, "calls": calls}
        given = {kind: value for kind, value in answers.items() if value is not NOTHING}
        return self._engine.stubs.add(name, given, times, parse_duration(takes))

    def crash_after(self, step: str) -> None:
        """The attempt dies right after this step (`score#0`; `score`: the next call) is on record; once. It is recovered."""
        self._engine.crashes.to_come.append(Crash("after", step))

    def crash_before(self, step: str) -> None:
        """The attempt dies when this step has been executed and is not on record yet; once. It is recovered."""
        self._engine.crashes.to_come.append(Crash("before", step))

    def replay(
        self,
        recorded: TestRun | Mapping[str, Any] | Path | str,
        workflow: Workflow[..., Any],
        *,
        secret_key: str | None = None,
    ) -> Replayed:
        """Execute a recorded run by today's code: no action is executed, its record is its result.

        `recorded`: a run of a kit; the document of one (`TestRun.export()`, or a server's `GET /api/v1/runs/{id}/journal`); or
        the file that holds it. `secret_key`: the server's, where values of the run are secrets. KitProblem, an
        AssertionError, says where the code asks for something else than what is on record. Raises SecretUnreadable.
        """
        known = Definitions()
        known.add(workflow)
        recording = read_recording(recorded.export() if isinstance(recorded, TestRun) else recorded)
        box = self._engine.box if secret_key is None else Box((secret_key,))
        return replay(known.project(), recording, box, self._engine.settings)

    def _deploy(self, workflow: Workflow[..., Any]) -> None:
        if not isinstance(workflow, Workflow):
            raise TypeError(f"a workflow is run, a function that @workflow decorates; this is {workflow!r}")
        if self._definitions.add(workflow):
            self._engine.deploy(self._definitions.project())
        self._engine.stubs.check(self._definitions.actions)

    def _settle(self) -> None:
        self._engine.settle()
        self._refuse_missed_crashes()

    def _refuse_missed_crashes(self) -> None:
        """A crash that never comes shows nothing."""
        runs = self.runs if self._engine.crashes.to_come else []
        if runs and all(run.status.terminal for run in runs):
            missed = self._engine.crashes.to_come.pop()
            steps = ", ".join(step for run in runs for step in run.steps)
            raise KitProblem(
                what=f"{missed} did not happen: every run has ended, and the steps were {steps or 'none'}"
            )


def run(
    workflow: Workflow[..., Any],
    input: Any = None,
    *,
    tags: Mapping[str, str] | None = None,
    skip_time: bool = False,
) -> TestRun:
    """Run a workflow with a kit of its own; see `TestKit.run`."""
    return TestKit().run(workflow, input, tags=tags, skip_time=skip_time)


def _as_json(workflow: Workflow[..., Any], value: Any) -> Any:
    """The input as a caller would send it; what is not JSON is what the workflow's parameter takes."""
    try:
        encode_payload(value, what="input")
    except NotJson:
        return workflow.input.dump(value, f"input of {workflow.slug}")
    return value
