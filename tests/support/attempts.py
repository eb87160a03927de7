"""Runs of a small project, attempt by attempt, in the test's own process: start, claim, execute, finish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keystroke.authoring.project import LoadedProject, load_project
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.outcome import Outcome
from keystroke.domain.run import Run
from keystroke.domain.step import Step
from keystroke.domain.trace import LogLine, Span
from keystroke.execution.attempt import run_attempt
from keystroke.execution.gate import Gate, QuietGate
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.fleet_state import register_worker
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.wake_due import wake_due
from keystroke.settings import Settings
from keystroke.store import Database, history
from support.projects import write_project
from support.starts import Stage

#: What every workflow file of these tests may use.
PREAMBLE = """\
import asyncio, logging, os, sys, time, threading
from datetime import datetime
from keystroke import ActionFailed, AsyncContext, Backoff, ChildFailed, Context, Fatal, RunCanceled, action, workflow

CALLS = []

"""


class Rig:
    """A loaded project on a database, and a worker that does what the test says."""

    def __init__(self, database: Database, settings: Settings, project: LoadedProject) -> None:
        """Publish the project and register the worker."""
        self.settings = settings
        self.project = project
        published = publish_deployment(database, project.manifest)
        deployment = published.deployment_id
        worker = register_worker(database, published.project.id, deployment, ("default",), 1)
        claimant = Claimant(worker, published.project.id, deployment, ("default",), 0)
        self.stage = Stage(database, settings, published.project, claimant)

    @property
    def database(self) -> Database:
        """The database, whose clock `advance` moves."""
        return self.stage.database

    @property
    def calls(self) -> list[Any]:
        """What the workflow's file has appended to CALLS."""
        function = next(iter(self.project.workflows.values())).function
        found: list[Any] = function.__globals__["CALLS"]
        return found

    def start(self, workflow: str, value: object = None) -> str:
        """Start a run; its id."""
        return self.stage.start(workflow, {} if value is None else value).run_id

    def claim(self) -> Lease:
        """Claim the next run, waking what is due."""
        wake_due(self.database)
        lease = self.stage.claim()
        assert lease is not None
        return lease

    def attempt(self, lease: Lease | None = None, gate: Gate | None = None) -> Outcome:
        """Make one attempt, and record its outcome."""
        lease = lease or self.claim()
        result = run_attempt(
            self.database, self.project, lease, gate or QuietGate(), self.settings, self.stage.box
        )
        finish_attempt(self.database, lease, result.outcome, result.active, self.settings, None)
        return result.outcome

    def run_through(self, workflow: str, value: object = None) -> Run:
        """Start a run and attempt it until it has ended, moving the clock over its pauses."""
        run_id = self.start(workflow, value)
        for _ in range(50):
            self.attempt()
            if self.run(run_id).status.terminal:
                return self.run(run_id)
            self.advance(4000)
        raise AssertionError(f"{run_id} has not ended after 50 attempts")

    def run_queued(self) -> list[str]:
        """Attempt whatever is queued until nothing is; the workflows in the order of their attempts."""
        attempted = []
        while (lease := self.stage.claim()) is not None:
            attempted.append(lease.workflow)
            self.attempt(lease)
        return attempted

    def advance(self, seconds: float) -> None:
        """Move every clock: the database's, and the attempt's."""
        self.settings = replace(self.settings, clock_offset=self.settings.clock_offset + seconds)
        self.database.close()
        self.stage.settings = self.settings
        self.stage.database = Database.from_settings(self.settings)

    def run(self, run_id: str) -> Run:
        """The run's record."""
        return self.stage.run(run_id)

    def steps(self, run_id: str) -> dict[str, Step]:
        """The run's steps by identity."""
        with self.database.read() as tx:
            return {step.identity: step for step in history.list_steps(self.stage.scope, tx, run_id)}

    def logs(self, run_id: str) -> list[LogLine]:
        """The run's log lines."""
        with self.database.read() as tx:
            return [line for _, line in history.list_logs(self.stage.scope, tx, run_id, limit=100_000)]

    def spans(self, run_id: str) -> list[Span]:
        """The run's spans."""
        with self.database.read() as tx:
            return [span for _, span in history.list_spans(self.stage.scope, tx, run_id)]


MakeRig = Callable[[str], Rig]


@pytest.fixture
def make_rig(sqlite_settings: Settings, tmp_path: Path) -> Iterator[MakeRig]:
    """Makes a rig from the text of one workflow file."""
    made: list[Rig] = []

    def make(source: str) -> Rig:
        from textwrap import dedent

        directory = write_project(tmp_path / "project", {})
        (directory / "workflows").mkdir(exist_ok=True)
        (directory / "workflows" / "flows.py").write_text(PREAMBLE + dedent(source), encoding="utf-8")
        rig = Rig(Database.from_settings(sqlite_settings), sqlite_settings, load_project(directory))
        made.append(rig)
        return rig

    yield make
    for rig in made:
        with closing(rig.database):
            pass
