"""Publishing a project's sources: what a redeploy replaces, what it leaves alone, and what becomes of those that are gone."""

from __future__ import annotations

from pathlib import Path

from keystroke.authoring.project import load_project
from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.settings import Settings
from keystroke.store import Database, history, sources
from keystroke.store.access import Project
from keystroke.store.sources import Source
from support.projects import write_project

_PROJECT = """
from pydantic import BaseModel
from keystroke import poll, schedule, webhook, workflow
from keystroke.verify import open_endpoint

class Lead(BaseModel):
    email: str

@workflow("greet")
def greet(lead: Lead) -> str:
    return lead.email

@workflow("count")
def count(lead: dict) -> int:
    return len(lead)

signup = webhook("signup", endpoint="signup", payload=Lead, verify=open_endpoint())
signup.attach(greet).attach(count, transform=lambda lead: {"a": 1})
"""
_MORE = """
schedule("nightly", "0 2 * * *", payload={}).attach(count)

@poll("inbox", every="5m")
def inbox() -> list[dict]:
    return []
inbox.attach(count)
"""


def _publish(database: Database, folder: Path, text: str) -> Project:
    write_project(folder, {"triggers/all.py": text})
    return publish_deployment(database, load_project(folder).manifest).project


def _sources(database: Database, project: Project, *, retired: bool = False) -> dict[str, Source]:
    with database.read() as tx:
        return {each.slug: each for each in sources.of_project(tx, project.id, retired=retired)}


def test_sources_are_published_with_the_deployment(database: Database, tmp_path: Path) -> None:
    project = _publish(database, tmp_path, _PROJECT + _MORE)
    found = _sources(database, project)
    assert {slug: each.manifest.kind for slug, each in found.items()} == {
        "inbox": "poll", "nightly": "schedule", "signup": "webhook",
    }  # fmt: skip
    assert [(each.workflow, each.manifest.transform) for each in found["signup"].attachments] == [
        ("greet", False), ("count", True),
    ]  # fmt: skip
    assert found["inbox"].due_at is not None, "a poll's first tick comes at once"


def test_a_source_that_is_gone_is_retired_and_comes_back_as_itself(
    database: Database, tmp_path: Path
) -> None:
    first = _sources(database, _publish(database, tmp_path / "a", _PROJECT + _MORE))
    project = _publish(database, tmp_path / "b", _PROJECT)
    assert set(_sources(database, project)) == {"signup"}
    assert _sources(database, project, retired=True)["nightly"].retired_at is not None
    back = _sources(database, _publish(database, tmp_path / "c", _PROJECT + _MORE + "\nTWO = 2\n"))
    assert back["nightly"].id == first["nightly"].id
    assert back["nightly"].retired_at is None


def test_what_is_attached_is_started(database: Database, tmp_path: Path, settings: Settings) -> None:
    project = _publish(database, tmp_path, _PROJECT)
    source = _sources(database, project)["signup"]
    payload = {"email": "ada@example.com"}
    with database.transaction() as tx:
        started = start_attached(tx, project, SourceEvent("dlv_1"), wishes(source, payload), settings, None)
    with database.read() as tx:
        runs = [history.get_run(Scope(project.organization_id), tx, each.run_id) for each in started]
    assert [run.trigger.value for run in runs] == ["signup:greet", "signup:count"]
    assert [run.trigger.label for run in runs] == ["Webhook · signup"] * 2
    assert [run.trigger.payload for run in runs] == [payload, payload]
    assert [run.input for run in runs] == [payload, None], "behind a transform the input is yet to be made"


def test_a_payload_that_does_not_fit_is_a_run_all_the_same(
    database: Database, tmp_path: Path, settings: Settings
) -> None:
    project = _publish(database, tmp_path, _PROJECT)
    wanted = wishes(_sources(database, project)["signup"], {"email": 1}, "greet")
    with database.transaction() as tx:
        (started,) = start_attached(tx, project, SourceEvent("dlv_1"), wanted, settings, None)
    assert started.status is Status.QUEUED
