"""A project of webhooks behind the API in the test's own process, and posts to them, signed or not."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from keystroke import ids
from keystroke.authoring.project import load_project
from keystroke.domain.delivery import Delivery
from keystroke.domain.run import Run
from keystroke.domain.scope import Scope
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.settings import Settings
from keystroke.store import Database, deliveries, history
from keystroke.store.access import Project
from keystroke.store.deliveries import DeliveryFilter
from keystroke.store.sql import Sql
from support.projects import write_project
from support.servers import PostgreSQL

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from support.api import Api

SECRET: Final = "known-to-both"
WORKFLOWS: Final = """
from typing import Literal
from pydantic import BaseModel, ConfigDict, EmailStr, SecretStr
from keystroke import RateLimit, Respond, webhook, workflow
from keystroke.verify import github, hmac_sha256, open_endpoint, slack, standard_webhooks, stripe, token

class Lead(BaseModel):
    name: str
    email: EmailStr | None = None

class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str

@workflow("greet")
def greet(lead: Lead) -> str:
    return lead.name

@workflow("strict")
def strict(lead: Strict) -> str:
    return lead.name

@workflow("anything")
def anything(value: object) -> object:
    return value

def signed(slug, endpoint=None, payload=Lead, **options):
    return webhook(slug, endpoint or slug, payload, hmac_sha256("env:SENDER", header="X-Signature"), **options)

"""


@dataclass
class Webhooks:
    """A published project, the API in front of it, and what is on record of its deliveries."""

    api: Api
    database: Database
    project: Project

    def post(self, path: str, body: Any = None, *, signed: bool = True, **options: Any) -> TestResponse:
        """Post to `/triggers/` + path: a value as JSON, bytes as they are; signed by `X-Signature` unless told otherwise."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(options.pop("headers", {}))
        if signed:
            headers.setdefault("X-Signature", signature(data))
        options.setdefault("content_type", "application/json")
        return self.api.client.post(f"/triggers/{path}", data=data, headers=headers, **options)

    def deliveries(self) -> list[Delivery]:
        """All that are on record, oldest first."""
        with self.database.read() as tx:
            found = deliveries.list_deliveries(self.scope, tx, DeliveryFilter(), limit=1_000)
        return found[::-1]

    def last(self) -> Delivery:
        """The newest on record."""
        return self.deliveries()[-1]

    def run(self, run_id: str) -> Run:
        """A run's record."""
        with self.database.read() as tx:
            return history.get_run(self.scope, tx, run_id)

    @property
    def scope(self) -> Scope:
        """Everything of the project's organization."""
        return Scope(self.project.organization_id)

    @property
    def runs(self) -> list[str]:
        """The ids of all runs, oldest first."""
        with self.database.read() as tx:
            return [row.id for row in tx.rows(Sql("select id from runs order by id"))]

    def change(self, statement: str) -> None:
        """What an operator does, done to the rows."""
        with self.database.transaction() as tx:
            assert tx.run(Sql(statement)) > 0


def signature(body: bytes, secret: str = SECRET) -> str:
    """The HMAC that `hmac_sha256` looks for."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def now() -> int:
    """Seconds since 1970, as senders write them into what they sign."""
    return int(time.time())


def open_webhooks(
    database: Database, settings: Settings, folder: Path, definitions: str, **changes: Any
) -> Webhooks:
    """Publish a project with these webhooks and open the API; its services are the caller's to close."""
    from support.api import open_api
    from support.starts import Stage

    write_project(folder, {"triggers/all.py": WORKFLOWS + definitions})
    project = publish_deployment(database, load_project(folder).manifest).project
    settings = replace(settings, project="shop", organization="acme", **changes)
    stage = Stage(database, settings, project, None)  # type: ignore[arg-type]
    return Webhooks(open_api(stage), database, project)


@contextmanager
def any_settings(request: pytest.FixtureRequest, folder: Path) -> Iterator[Settings]:
    """An empty database of the backend that the fixture's parameter names, for as long as a whole module of tests needs it."""
    base = Settings(
        secret_key=("k",), project="shop", organization="acme", sqlite_synchronous="NORMAL", database_url=""
    )
    if request.param == "sqlite":
        path = folder / "keystroke.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield replace(base, database_url=f"sqlite:///{path}")
        return
    server: PostgreSQL = request.getfixturevalue("migrated_postgresql")
    name = ids.new("test")
    server.execute(f"create database {name} template migrated")
    yield replace(base, database_url=server.url(name))
    server.execute(f"drop database {name} with (force)")


@contextmanager
def webhooks_of(
    request: pytest.FixtureRequest, folder: Path, definitions: str, **changes: Any
) -> Iterator[Webhooks]:
    """A module's own webhooks, once on each database; the sender's secret is in the environment of the API."""
    with (
        any_settings(request, folder) as settings,
        closing(Database.from_settings(settings)) as database,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("SENDER", SECRET)
        opened = open_webhooks(database, settings, folder / "project", definitions, **changes)
        yield opened
        opened.api.services.close()
