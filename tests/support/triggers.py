"""A stage whose project has a trigger of each kind, published as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from jsonschema import Draft202012Validator

from keystroke import ids
from keystroke.domain.manifest import Manifest
from keystroke.domain.source import AttachmentManifest, SourceManifest
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.settings import Settings
from keystroke.store import Database, Tx, sources
from keystroke.store.sources import Source
from keystroke.store.sql import Sql
from support.api import Api, open_api
from support.starts import GREET, GREETING, Stage, make_stage

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

COUNT: Final = replace(GREET, slug="count", name="Count", input_schema={})
_ATTACHED: Final = (AttachmentManifest("greet"), AttachmentManifest("count", transform=True))
#: What the state of the poll has to be.
CURSOR: Final = {
    "type": "object", "properties": {"after": {"type": "integer"}, "token": {"type": "string"}}, "required": ["after"],
}  # fmt: skip
SIGNUP: Final = SourceManifest(
    "signup", "webhook", "Signup", payload_schema=GREETING, attachments=_ATTACHED,
    options={"endpoint": "signup", "verify": {"scheme": "standard_webhooks", "secret": "env:SIGNUP_SECRET"}},
)  # fmt: skip
HOURLY: Final = SourceManifest(
    "hourly", "schedule", "Hourly", attachments=(AttachmentManifest("greet"),),
    options={
        "cron": "0 * * * *", "every": None, "timezone": "Europe/Paris", "payload": {"name": "Ada"}, "catch_up": "last",
        "catch_up_limit": 100, "overlap": "allow", "jitter": 0.0, "starts_at": None, "ends_at": None,
        "pause_after": None, "max_lateness": None, "expected_within": None,
    },
)  # fmt: skip
INBOX: Final = SourceManifest(
    "inbox", "poll", "Inbox", attachments=(AttachmentManifest("greet"),),
    options={
        "cron": None, "every": 300.0, "timezone": "UTC", "timeout": 300.0, "queue": "default", "group": None,
        "state_schema": CURSOR, "unhealthy_after": 3, "dedupe_for": None,
    },
)  # fmt: skip
_INSERT_TICK: Final = Sql("""
insert into ticks (id, project_id, source_id, kind, origin, scheduled_at, created_at, fired_at, status, outcome, run_ids,
    error, finished_at, queue, attempt)
values (:id, :project_id, :source_id, :kind, :origin, :scheduled_at, {now}, {now}, :status, :outcome, :run_ids, :error,
    case when :status = 'ended' then {now} end, 'default', 1)
""")
_INSERT_DELIVERY: Final = Sql("""
insert into deliveries (id, project_id, endpoint, source_id, sources, received_at, method, headers, query, size, outcome,
    status, run_ids)
values (:id, :project_id, :endpoint, :source_id, :sources, {now}, 'POST', '{}', '{}', 0, :outcome, 202, :run_ids)
""")


@dataclass
class Triggers:
    """The API on such a stage, and what makes events by hand."""

    api: Api

    @property
    def stage(self) -> Stage:
        """What the API stands on."""
        return self.api.stage

    def source(self, slug: str) -> Source:
        """The source as it is."""
        with self.stage.database.read() as tx:
            found = sources.of_slug(tx, self.stage.project.id, slug)
        assert found is not None
        return found

    def tick(self, slug: str, scheduled_at: int, outcome: str | None = "fired", **changes: Any) -> str:
        """Record a tick; its id. Without an outcome it is being executed."""
        source, tick_id = self.source(slug), ids.new("tick")
        row = {
            "id": tick_id, "project_id": source.project_id, "source_id": source.id, "kind": source.manifest.kind,
            "origin": "", "scheduled_at": scheduled_at, "status": "ended" if outcome else "running", "outcome": outcome,
            "run_ids": "[]", "error": None, **changes,
        }  # fmt: skip
        with self.stage.database.transaction() as tx:
            tx.run(_INSERT_TICK, row)
        return tick_id

    def delivery(self, *slugs: str, outcome: str = "fired", **changes: Any) -> str:
        """Record a delivery of the first of these sources, considered for all of them; its id."""
        source, delivery_id = self.source(slugs[0]), ids.new("dlv")
        row = {
            "id": delivery_id, "project_id": source.project_id, "endpoint": source.manifest.options["endpoint"],
            "source_id": source.id, "sources": json.dumps(slugs), "outcome": outcome, "run_ids": "[]", **changes,
        }  # fmt: skip
        with self.stage.database.transaction() as tx:
            tx.run(_INSERT_DELIVERY, row)
        return delivery_id

    def publish(self, *wanted: SourceManifest, digest: str) -> None:
        """Publish other sources."""
        publish_sources(self.stage.database, *wanted, digest=digest)

    def execute(self, sql: str, **params: Any) -> None:
        """One statement on the database."""
        with self.stage.database.transaction() as tx:
            tx.run(Sql(sql), params)

    def audited(self) -> list[tuple[str, str]]:
        """The actions of the audit log, oldest first, with their targets."""
        with self.stage.database.read() as tx:
            return [tuple(row) for row in _audit(tx)]


def _audit(tx: Tx) -> Any:
    return tx.rows(Sql("select action, target from audit_log order by id"))


def publish_sources(database: Database, *wanted: SourceManifest, digest: str) -> None:
    """Publish these sources beside the workflows of the stage."""
    workflows = {each.slug: each for each in (GREET, COUNT)}
    manifest = Manifest("default", "demo", digest, None, workflows, {each.slug: each for each in wanted})
    publish_deployment(database, manifest)


def make_triggers(database: Database, settings: Settings, **changes: Any) -> Triggers:
    """An API on a stage with the three triggers; its services are the caller's to close."""
    stage = make_stage(database, settings, GREET, COUNT)
    publish_sources(database, SIGNUP, HOURLY, INBOX, digest="with sources")
    return Triggers(open_api(stage, **changes))


@pytest.fixture
def triggers(database: Database, settings: Settings) -> Iterator[Triggers]:
    """The API on a stage with a trigger of each kind, on each database."""
    made = make_triggers(database, settings)
    yield made
    made.api.services.close()


def fits(api: Api, path: str, method: str, answered: TestResponse) -> Any:
    """The answer is as the OpenAPI document describes it; its JSON."""
    document: Any = api.client.get("/openapi.json").json
    described = document["paths"][f"/api/v1{path}"][method]["responses"][str(answered.status_code)]
    schema = described["content"][answered.mimetype]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answered.json)
    return answered.json
