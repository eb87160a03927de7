"""Polls of a small project, tick by tick, in the test's own process: made by beat's operation, claimed, executed, ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import pytest
from sqlalchemy import Row

from keystroke.authoring.project import LoadedProject, load_project
from keystroke.domain.actor import Actor
from keystroke.domain.lease import Claimant, TickLease
from keystroke.domain.run import Run
from keystroke.domain.tick import TickResult
from keystroke.domain.trace import LogLine, Span
from keystroke.execution.gate import Gate, QuietGate
from keystroke.execution.tick import run_tick
from keystroke.operations.finish_attempt import Finished
from keystroke.operations.fleet_state import register_worker
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.queue_tick import QueuedTick, queue_due_ticks, queue_tick
from keystroke.operations.record_poll import finish_tick
from keystroke.settings import Settings
from keystroke.store import Database, history, polls, sources, tick_claims, traces
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke.store.sql import Sql
from support.projects import write_project
from support.starts import Stage

#: What every project file of these tests may use. A poll gives what the test has put into GIVEN under its slug.
PREAMBLE: Final = """\
import logging, os, sys, time
from pydantic import BaseModel, SecretStr
from keystroke import PollResult, Tick, action, poll, workflow

GIVEN = {}
CALLS = []

class Cursor(BaseModel):
    at: int

class Invoice(BaseModel):
    number: int

@workflow("handle")
def handle(invoice: Invoice) -> int:
    return invoice.number

@workflow("anything")
def anything(payload) -> None: ...

"""
#: A poll that keeps a state and gives invoices.
INVOICES: Final = """
@poll("invoices", every="5m", state=Cursor)
def invoices(state: Cursor | None) -> PollResult[Invoice]:
    CALLS.append(state and state.at)
    print("looking from", state and state.at)
    given = GIVEN["invoices"]
    if isinstance(given, BaseException):
        raise given
    return PollResult([Invoice(number=each) for each in given], Cursor(at=max(given, default=state.at if state else 0)))
invoices.attach(handle)
"""
#: A poll that gives anything.
_ANY: Final = """
@poll("any", every="5m"{options})
def look({parameters}):
    given = GIVEN["any"]
    if isinstance(given, BaseException):
        raise given
    return given() if callable(given) else given
look.attach(anything)
"""
_TICKS: Final = Sql("select * from ticks order by id")
_RUN_IDS: Final = Sql("select id from runs order by id")
OPERATOR: Final = Actor("user", "ada", "Ada")


@dataclass
class PollRig:
    """A loaded project on a database, and a worker that does what the test says."""

    database: Database
    settings: Settings
    project: LoadedProject
    stage: Stage

    @property
    def given(self) -> dict[str, Any]:
        """GIVEN of the project's file."""
        return self._names["GIVEN"]  # type: ignore[no-any-return]

    @property
    def calls(self) -> list[Any]:
        """CALLS of the project's file."""
        return self._names["CALLS"]  # type: ignore[no-any-return]

    @property
    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = self.project.workflows["handle"].function.__globals__
        return names

    def queue(self) -> list[QueuedTick]:
        """What beat does."""
        return queue_due_ticks(self.database).queued

    def claim(self, claimant: Claimant | None = None) -> TickLease:
        """Claim the next tick."""
        with self.database.transaction() as tx:
            lease = tick_claims.take(tx, claimant or self.stage.claimant)
        assert lease is not None
        return lease

    def execute(self, lease: TickLease, gate: Gate | None = None) -> TickResult:
        """Execute a tick, without recording what it came to."""
        box = self.stage.box
        return run_tick(self.database, self.project, lease, gate or QuietGate(), self.settings, box)

    def finish(self, lease: TickLease, result: TickResult) -> Finished:
        """Record what a tick came to."""
        return finish_tick(self.database, lease, result, self.settings, self.stage.box, None)

    def tick(self, gate: Gate | None = None) -> Row[Any]:
        """One whole tick, which beat makes; its row at the end."""
        self.queue()
        return self.work(gate)

    def work(self, gate: Gate | None = None) -> Row[Any]:
        """Execute the tick that waits; its row at the end."""
        lease = self.claim()
        self.finish(lease, self.execute(lease, gate))
        return next(row for row in self.ticks() if row.id == lease.tick_id)

    def fire(self, slug: str, *, dry_run: bool = False) -> QueuedTick:
        """Fire a poll by hand."""
        with self.database.transaction() as tx:
            source = self._source(slug)
            return queue_tick(tx, source, None, dry_run=dry_run, actor=OPERATOR)

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.settings = replace(self.settings, clock_offset=self.settings.clock_offset + seconds)
        self.database.close()
        self.database = self.stage.database = Database.from_settings(self.settings)
        self.stage.settings = self.settings

    def ticks(self, slug: str | None = None) -> list[Row[Any]]:
        """The rows of all ticks, or of those of a source, oldest first."""
        with self.database.read() as tx:
            found = list(tx.rows(_TICKS))
        return [row for row in found if slug is None or row.source_id == self._source(slug).id]

    def source(self, slug: str) -> Source:
        """A source as it stands."""
        return self._source(slug)

    def _source(self, slug: str) -> Source:
        with self.database.read() as tx:
            found = sources.of_slug(tx, self.stage.project.id, slug)
        assert found is not None
        return found

    def state(self, slug: str) -> Any:
        """The state of a poll as it is kept; None where there is none."""
        with self.database.read() as tx:
            state = polls.state_of(tx, self._source(slug).id)
        return None if state is None else json.loads(state.body)

    def edit_state(self, slug: str, state: Any) -> None:
        """What an operator's edit comes down to."""
        source = self._source(slug)
        with self.database.transaction() as tx:
            sources.lock_source(tx, source.id)
            polls.put_state(tx, source.id, json.dumps(state), "ada")

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        scope = self.stage.scope
        with self.database.read() as tx:
            return [history.get_run(scope, tx, row.id) for row in tx.rows(_RUN_IDS)]

    def trace(self, tick_id: str) -> tuple[list[Span], list[LogLine]]:
        """The spans and log lines of a tick."""
        with self.database.read() as tx:
            return traces.list_written_under(self.stage.scope, tx, tick_id, limit=100_000)

    def close(self) -> None:
        """Close the database."""
        self.database.close()


MakePolls = Callable[[str], PollRig]


def make_poll_rig(settings: Settings, directory: Path, text: str) -> PollRig:
    """Write, load and publish a project of one file."""
    return stage_polls(settings, load_polls(directory, text))


def load_polls(directory: Path, text: str) -> LoadedProject:
    """Write and load a project of one file."""
    write_project(directory, {})
    (directory / "triggers").mkdir(exist_ok=True)
    (directory / "triggers" / "polls.py").write_text(PREAMBLE + dedent(text), encoding="utf-8")
    return load_project(directory)


def stage_polls(settings: Settings, loaded: LoadedProject) -> PollRig:
    """Publish a loaded project, and register a worker that has it."""
    database = Database.from_settings(settings)
    published = publish_deployment(database, loaded.manifest)
    stage = Stage(database, settings, published.project, _claimant(database, published.project, loaded))
    return PollRig(database, settings, loaded, stage)


def _claimant(database: Database, project: Project, loaded: LoadedProject) -> Claimant:
    deployment_id = project.current_deployment_id
    assert deployment_id is not None
    worker_id = register_worker(database, project.id, deployment_id, ("default",), 1)
    polls_of_code = tuple(slug for slug, each in loaded.sources.items() if each.kind == "poll")
    return Claimant(
        worker_id, project.id, deployment_id, ("default",), 0, tuple(loaded.workflows), polls_of_code
    )


@pytest.fixture
def make_polls(settings: Settings, tmp_path: Path) -> Iterator[MakePolls]:
    """Makes a rig of the text of a project's one file, on each database."""
    yield from _making(settings, tmp_path)


@pytest.fixture
def make_polls_here(sqlite_settings: Settings, tmp_path: Path) -> Iterator[MakePolls]:
    """The same on SQLite alone, for what does not depend on the database."""
    yield from _making(sqlite_settings, tmp_path)


def any_poll(make: MakePolls, options: str = "", parameters: str = "") -> PollRig:
    """A rig with the poll `any`, which gives what the test says."""
    return make(_ANY.format(options=f", {options}" if options else "", parameters=parameters))


def _making(settings: Settings, directory: Path) -> Iterator[MakePolls]:
    made: list[PollRig] = []

    def make(text: str) -> PollRig:
        made.append(make_poll_rig(settings, directory / f"project{len(made)}", text))
        return made[-1]

    yield make
    for rig in made:
        rig.close()
