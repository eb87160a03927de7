"""A platform in one thread: what API, worker and beat do with a run, done one after the other where a test asks for it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from keystroke.authoring.project import LoadedProject
from keystroke.box import Box
from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.domain.filters import Page, RunFilter
from keystroke.domain.lease import AnyLease, Claimant, Lease, TickLease
from keystroke.domain.lineage import Lineage
from keystroke.domain.outcome import Failed
from keystroke.domain.scope import Scope
from keystroke.domain.secrets import open_sealed
from keystroke.errors import LeaseLost
from keystroke.execution.attempt import AttemptResult, run_attempt
from keystroke.execution.gate import InterruptGate, Interruption, QuietGate
from keystroke.execution.tick import run_tick
from keystroke.operations.answer_hook import answer_by_id
from keystroke.operations.cancel_children import sweep_canceled
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.claim_run import claim_run
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.fleet_state import register_worker, stop_worker
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.record_poll import finish_tick
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.start_run import StartRequest, start_run
from keystroke.operations.unpark_runs import Place, unpark_forgotten, unpark_rates
from keystroke.operations.wake_due import wake_due
from keystroke.settings import Settings
from keystroke.store import Tx, answers, history, wakes
from keystroke.store.access import Project
from keystroke.store.memory import MemoryDatabase
from keystroke.testing.answering import choose_hook
from keystroke.testing.crashes import Crashes
from keystroke.testing.definitions import modules_in
from keystroke.testing.kit_world import KitWorld
from keystroke.testing.problems import KitProblem
from keystroke.testing.stubs import Stubs
from keystroke.testing.virtual_clock import VirtualClock, VirtualMoment

#: Attempts without the time moving, after which a kit gives up: nothing that ends takes so many.
_MOST_ATTEMPTS: Final = 10_000
_MOST_RUNS: Final = 10_000
_SECRET: Final = "the secret key of a test kit"  # noqa: S105 - it protects nothing: what it seals is gone with the test

T = TypeVar("T")


class Engine:
    """Starts runs, executes whatever can go on, and moves the time."""

    def __init__(self, start: datetime, stubs: Stubs, crashes: Crashes) -> None:
        """An empty platform, at this time."""
        self.clock = VirtualClock(start)
        self.stubs, self.crashes = stubs, crashes
        self.settings = Settings(secret_key=(_SECRET,))
        self.box = Box(self.settings.secret_key)
        self.database: Final = MemoryDatabase(self.clock.micros)
        weakref.finalize(self, self.database.close)
        self._world = KitWorld(self.settings, self.clock, self.stubs, self.crashes)
        self._project: tuple[LoadedProject, Project, Claimant] | None = None
        self._gates: dict[str, InterruptGate] = {}
        self.runs: list[str] = []

    @property
    def scope(self) -> Scope:
        """Everything there is."""
        return Scope(self._deployed[1].organization_id)

    def close(self) -> None:
        """Give the memory back."""
        self.database.close()

    def read(self, what: Callable[[Tx], T]) -> T:
        """Read in one transaction."""
        with self.database.read() as tx:
            return what(tx)

    def opened(self, payload: Any) -> Any:
        """The payload with its secrets readable."""
        return open_sealed(payload, self.box.decrypt)

    def deploy(self, loaded: LoadedProject) -> None:
        """Make this the current code, and the worker one that has it."""
        published = publish_deployment(self.database, loaded.manifest)
        if self._project is not None:
            stop_worker(self.database, self._project[2].worker_id)
        manifest = loaded.manifest
        named = {each.queue for each in manifest.workflows.values()}
        named |= {each.options["queue"] for each in manifest.sources.values() if each.kind == "poll"}
        queues = tuple(sorted(named))
        worker_id = register_worker(self.database, published.project.id, published.deployment_id, queues, 1)
        polls = tuple(slug for slug, each in manifest.sources.items() if each.kind == "poll")
        claimant = Claimant(worker_id, published.project.id, published.deployment_id, queues, 0, polls=polls)
        self._project = loaded, published.project, claimant

    def start(self, workflow: str, value: Any, tags: dict[str, str]) -> str:
        """Start a run; its id. Raises what `start_run` does."""
        # The same in every test run, so that ctx.random() and ctx.uuid() are.
        seed = hashlib.sha256(f"run {len(self.runs)} of a test".encode()).hexdigest()[:32]
        request = StartRequest(
            workflow, value, Trigger("api", "Test kit"), LOCAL_OWNER, tags=tags, lineage=Lineage(seed=seed)
        )
        started = start_run(self.database, self._deployed[1], request, self.settings, self.box)
        self.runs.append(started.run_id)
        return started.run_id

    def all_runs(self, parent: str | None = None) -> list[str]:
        """The ids of all runs, or of the children of one, in the order of their starts."""
        if self._project is None:
            return []
        wanted, page = RunFilter(parent=() if parent is None else (parent,)), Page(limit=_MOST_RUNS)
        found = self.read(lambda tx: history.list_runs(self.scope, tx, wanted, page))
        return [run.id for run in reversed(found.runs)]

    def settle(self) -> None:
        """Execute whatever can go on at this time, until everything has ended or rests."""
        if self._gates or self._project is None:
            return  # nothing to execute, or called by code that a run executes: the settling that it is part of goes on after it
        for _ in range(_MOST_ATTEMPTS):
            lease = self._claim()
            if lease is None:
                return
            self._carry_out(lease)
        raise KitProblem(
            what=f"after {_MOST_ATTEMPTS} attempts there is still something to execute, and no end in sight"
        )

    def advance(self, moment: VirtualMoment) -> None:
        """Move the time there, and stop on the way wherever something is due."""
        if self._gates:
            raise KitProblem(what="the time cannot be moved by code that a run executes")
        while (due := self._next_due(moment.reach)) is not None:
            self.clock.move_to(due)
            self.settle()
        self.clock.move_to(moment.micros)
        self.settle()

    def skip_to_next(self) -> bool:
        """Move the time to what is due next; False where nothing is."""
        due = self._next_due(None)
        if due is None:
            return False
        self.clock.move_to(due)
        self.settle()
        return True

    def answer(self, wanted: str, value: Any, run_id: str | None) -> None:
        """Answer the hook that is meant, as somebody who is signed in. Raises what `answer_by_id` does, and KitProblem."""
        asked = self.read(
            lambda tx: answers.list_hooks(self.scope, tx, status=None, run_id=run_id, limit=_MOST_RUNS)
        )
        chosen = choose_hook(self.database, asked, wanted)
        answer_by_id(
            self.database, self.scope, chosen.hook.id, value, LOCAL_OWNER, None, self.settings, self.box
        )
        self.settle()

    def cancel(self, run_id: str) -> None:
        """Cancel a run; one that executes gets RunCanceled where it is. Raises RunEnded."""
        cancel_run(self.database, self.scope, run_id, LOCAL_OWNER, self.settings)
        gate = self._gates.get(run_id)
        if gate is not None:
            gate.interrupt(Interruption.CANCEL)
        self.settle()

    @property
    def _deployed(self) -> tuple[LoadedProject, Project, Claimant]:
        if self._project is None:
            raise KitProblem(what="nothing has been run yet")
        return self._project

    def _next_due(self, until: int | None) -> int | None:
        return self.read(lambda tx: wakes.next_due(tx, until))

    @property
    def project(self) -> Project:
        """The project that the code is deployed as."""
        return self._deployed[1]

    def _claim(self) -> AnyLease | None:
        """What a worker claims after the beat's rounds."""
        wake_due(self.database)
        unpark_rates(self.database)
        sweep_canceled(self.database, self.settings)
        lease = claim_run(self.database, self._deployed[2])
        if lease is None and unpark_forgotten(self.database, Place())[0]:
            lease = claim_run(self.database, self._deployed[2])
        return lease

    def _carry_out(self, lease: AnyLease) -> None:
        if isinstance(lease, TickLease):
            self._tick(lease)
        else:
            self._attempt(lease)

    def _tick(self, lease: TickLease) -> None:
        """Execute a tick of a poll."""
        with _logging_as_before():
            result = _apart_from_loops(
                lambda: run_tick(
                    self.database, self._deployed[0], lease, QuietGate(), self.settings, self.box, self._world
                )
            )
        finish_tick(self.database, lease, result, self.settings, self.box, None)

    def _attempt(self, lease: Lease) -> None:
        gate = self._gates[lease.run_id] = QuietGate()
        try:
            with _logging_as_before():
                result = _apart_from_loops(lambda: self._execute(lease, gate))
        except LeaseLost:
            self._recover(lease)
            return
        finally:
            del self._gates[lease.run_id]
        if isinstance(result.outcome, Failed) and result.outcome.failure.type == KeyboardInterrupt.__name__:
            raise KeyboardInterrupt  # meant for the test, not for the run
        finish_attempt(
            self.database, lease, result.outcome, result.active, self.settings, None, self._world.jitter
        )

    def _execute(self, lease: Lease, gate: InterruptGate) -> AttemptResult:
        deployed = self._deployed[0]
        # Anew: code that has run meanwhile may have imported more of the author's modules.
        loaded = replace(deployed, modules=modules_in(deployed.directory))
        return run_attempt(self.database, loaded, lease, gate, self.settings, self.box, self._world)

    def _recover(self, lease: Lease) -> None:
        """What the beat does with the run of an attempt that died."""
        died = (lease.run_id, lease.attempt)
        if died not in self.crashes.dead:
            raise KitProblem(
                what=f"attempt {lease.attempt} of {lease.run_id} lost its run, though nothing crashed"
            )
        self.crashes.dead.remove(died)
        recover_attempt(self.database, lease.run_id, lease.attempt, self.settings)


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """An attempt sets up the process's logging for itself; a test's is to stay as it was."""
    root = logging.getLogger()
    level, handlers = root.level, [(each, each.level) for each in root.handlers]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = [each for each, _ in handlers]
        for handler, its_level in handlers:
            handler.setLevel(its_level)


def _apart_from_loops(execute: Callable[[], T]) -> T:
    """Execute here; where an event loop runs here, as in an async test, in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return execute()
    ended: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(execute())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for it
            errors.append(error)

    thread = threading.Thread(target=run, name="keystroke-attempt")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return ended[0]
