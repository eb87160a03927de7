"""Schedules made by hand, on a stage whose clock the test moves, without any process around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from keystroke.clock import from_micros, to_micros
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.manifest import Manifest, WorkflowManifest
from keystroke.domain.source import AttachmentManifest, SourceManifest
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.record_schedule_tick import Fired, fire_due_schedules
from keystroke.operations.set_trigger import TriggerChange, set_trigger
from keystroke.settings import Settings
from keystroke.store import Database, sources
from keystroke.store.sources import Source
from keystroke.store.sql import Sql
from support.limited import later
from support.starts import GREET, Stage, make_stage

_TICKS = Sql("""
select ticks.id, sources.slug, ticks.scheduled_at, ticks.previous_at, ticks.missed, ticks.outcome, ticks.run_ids, ticks.error,
    ticks.fired_at from ticks join sources on sources.id = ticks.source_id order by ticks.scheduled_at, ticks.id
""")
_RUNS = Sql("""
select id, workflow, status, status_reason, parked_on, scheduled_at, previous_fire_at, missed, trigger_id, trigger_value,
    cancel_requested_at from runs order by id
""")
_NOW = Sql("select {now}")
#: An hour, and how many times a schedule that fires each minute has in it.
HOUR = 3600.0


def scheduled(slug: str, *workflows: str, **options: Any) -> SourceManifest:
    """A schedule as it is published; each attachment's workflow is `greet` unless others are named."""
    options = {"timezone": "UTC", "payload": {"name": "Ada"}, **options}
    attached = tuple(AttachmentManifest(each) for each in workflows or ("greet",))
    return SourceManifest(slug, "schedule", slug, options=options, attachments=attached)


@dataclass
class Clockwork:
    """A stage with schedules; `pass_time` moves its clock, `fire` does what a beat does."""

    stage: Stage

    @property
    def database(self) -> Database:
        """The database, by the stage's clock."""
        return self.stage.database

    def publish(
        self, *manifests: SourceManifest, digest: str = "two", workflows: tuple[WorkflowManifest, ...] = ()
    ) -> None:
        """Deploy these schedules, beside `greet` and others."""
        known = {each.slug: each for each in (GREET, *workflows)}
        manifest = Manifest("default", "demo", digest, None, known, {each.slug: each for each in manifests})
        self.stage.project = publish_deployment(self.database, manifest).project
        deployment = self.stage.project.current_deployment_id
        assert deployment is not None
        self.stage.claimant = replace(self.stage.claimant, deployment_id=deployment)

    def pass_time(self, seconds: float) -> None:
        """Let everybody's clock be so much later."""
        before = self.stage.database
        self.stage = later(self.stage, seconds)
        before.close()

    def now(self) -> datetime:
        """The database's clock."""
        with self.database.read() as tx:
            return from_micros(int(tx.value(_NOW)))

    def source(self, slug: str) -> Source:
        """A schedule as it stands."""
        with self.database.read() as tx:
            found = sources.of_slug(tx, self.stage.project.id, slug)
        assert found is not None
        return found

    def come_to(self, slug: str, late: float = 0.05) -> datetime:
        """Let the clock reach the schedule's next time, or a little later; that time."""
        source = self.source(slug)
        assert source.next_at is not None
        assert source.due_at is not None
        self.pass_time((source.due_at - source.now).total_seconds() + late)
        return source.next_at

    def fire(self) -> list[Fired]:
        """Fire what is due, batch by batch."""
        fired = []
        while (batch := fire_due_schedules(self.database, self.stage.settings, None)) is not None:
            fired.append(batch)
        return fired

    def set(self, slug: str, **change: Any) -> None:
        """Set what operators set."""
        set_trigger(
            self.database, LOCAL_OWNER, self.stage.project, self.source(slug).id, TriggerChange(**change)
        )

    def ticks(self, slug: str | None = None) -> list[Any]:
        """The ticks on record, by their times."""
        with self.database.read() as tx:
            return [row for row in tx.rows(_TICKS) if slug in (None, row.slug)]

    def outcomes(self, slug: str | None = None) -> list[str]:
        """What came of them."""
        return [row.outcome for row in self.ticks(slug)]

    def runs(self) -> list[Any]:
        """The runs, oldest first."""
        with self.database.read() as tx:
            return list(tx.rows(_RUNS))

    def broken(self) -> list[str]:
        """Ticks and runs that do not name each other, and times that were decided on twice."""
        ticks, runs = self.ticks(), {row.id: row for row in self.runs()}
        named = [(tick.id, run_id) for tick in ticks for run_id in json.loads(tick.run_ids)]
        wrong = [
            f"{tick} names {run}" for tick, run in named if run not in runs or runs[run].trigger_id != tick
        ]
        wrong += [f"no tick names {run}" for run in runs if run not in {run_id for _, run_id in named}]
        times = [(tick.slug, tick.scheduled_at) for tick in ticks]
        return wrong + [f"twice: {each}" for each in set(times) if times.count(each) > 1]


MakeClockwork = Callable[..., Clockwork]


@pytest.fixture
def make_clockwork() -> Iterator[MakeClockwork]:
    """Makes a stage with schedules, published now, on the database of the settings; workflows may be given."""
    made: list[Clockwork] = []

    def make(
        *manifests: SourceManifest, settings: Settings, workflows: tuple[WorkflowManifest, ...] = ()
    ) -> Clockwork:
        clockwork = Clockwork(make_stage(Database.from_settings(settings), settings, GREET))
        made.append(clockwork)
        clockwork.publish(*manifests, workflows=workflows)
        return clockwork

    yield make
    for each in made:
        each.database.close()


@pytest.fixture
def clockwork_of(make_clockwork: MakeClockwork, settings: Settings) -> MakeClockwork:
    """The same on each database; settings may be changed."""

    def make(
        *manifests: SourceManifest, workflows: tuple[WorkflowManifest, ...] = (), **changes: Any
    ) -> Clockwork:
        return make_clockwork(*manifests, settings=replace(settings, **changes), workflows=workflows)

    return make


def micros(at: datetime | None) -> int | None:
    """As it stands in the tables."""
    return to_micros(at)


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)
