"""Runs made by hand: a published project, starts and claims, without any process around them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from keystroke.box import Box
from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.manifest import Manifest, WorkflowManifest
from keystroke.domain.outcome import Completed, Outcome
from keystroke.domain.run import Run
from keystroke.domain.scope import Scope
from keystroke.operations.claim_run import claim_run
from keystroke.operations.finish_attempt import Finished, finish_attempt
from keystroke.operations.fleet_state import register_worker
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.start_run import StartedRun, StartRequest, start_run
from keystroke.settings import Settings
from keystroke.store import Database, history
from keystroke.store.access import Project

#: Input of the workflow `greet`: an object with a name, and an e-mail address that may be left out.
GREETING = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "email": {"type": "string", "format": "email"}},
    "required": ["name"],
}
GREET = WorkflowManifest("greet", "Greet", "Greets somebody.", GREETING, {})


@dataclass
class Stage:
    """A database with a published project and a worker that takes its runs."""

    database: Database
    settings: Settings
    project: Project
    claimant: Claimant
    box: Box = field(default_factory=lambda: Box(("a secret for tests",)))

    @property
    def scope(self) -> Scope:
        """Everything of the project's organization."""
        return Scope(self.project.organization_id)

    def start(self, workflow: str = "greet", value: Any = None, **changes: Any) -> StartedRun:
        """Start a run, by default of `greet`."""
        value = {"name": "Ada"} if value is None else value
        request = StartRequest(workflow, value, Trigger("api", "API"), LOCAL_OWNER, **changes)
        return start_run(self.database, self.project, request, self.settings, self.box)

    def claim(self) -> Lease | None:
        """Claim as the stage's worker."""
        return claim_run(self.database, self.claimant)

    def start_and_claim(self, workflow: str = "greet", **changes: Any) -> Lease:
        """Start a run and claim it at once."""
        self.start(workflow, **changes)
        lease = self.claim()
        assert lease is not None
        return lease

    def finish(self, lease: Lease, outcome: Outcome | None = None) -> Finished:
        """End an attempt, by default successfully."""
        outcome = Completed({"greeting": "hello"}) if outcome is None else outcome
        return finish_attempt(self.database, lease, outcome, timedelta(milliseconds=5), self.settings, None)

    def run(self, run_id: str) -> Run:
        """The run's record."""
        with self.database.read() as tx:
            return history.get_run(self.scope, tx, run_id)

    def another_worker(self) -> Claimant:
        """A second worker of the same deployment."""
        queues = self.claimant.queues
        worker_id = register_worker(self.database, self.project.id, self.claimant.deployment_id, queues, 1)
        return replace(self.claimant, worker_id=worker_id)


def publish(
    database: Database, *workflows: WorkflowManifest, digest: str = "one", project: str = "demo"
) -> Project:
    """Publish workflows as a new deployment."""
    manifest = Manifest("default", project, digest, None, {each.slug: each for each in workflows})
    return publish_deployment(database, manifest).project


@pytest.fixture
def stage(database: Database, settings: Settings) -> Stage:
    """A stage with the workflow `greet`, on each database."""
    return make_stage(database, settings, GREET, replace(GREET, slug="retried", max_attempts=3))


def make_stage(
    database: Database, settings: Settings, *workflows: WorkflowManifest, project_slug: str = "demo"
) -> Stage:
    """A stage with these workflows."""
    project = publish(database, *workflows, project=project_slug)
    deployment_id = project.current_deployment_id
    assert deployment_id is not None
    worker_id = register_worker(database, project.id, deployment_id, ("default",), 1)
    return Stage(database, settings, project, Claimant(worker_id, project.id, deployment_id, ("default",), 0))
