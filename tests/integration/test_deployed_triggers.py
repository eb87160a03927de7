"""`keystroke deploy` publishes triggers, too: what it sends is taken as it is, and what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keystroke.authoring.project import load_project
from keystroke.domain.manifest import Manifest
from keystroke.settings import Settings
from keystroke.store import Database
from support.api import Api, assert_problem
from support.projects import write_project
from support.sources import ROOT
from support.starts import GREET, Stage, make_stage

PROJECT = """
    from datetime import timedelta
    from pydantic import BaseModel, SecretStr
    from keystroke import PollResult, RateLimit, Respond, poll, schedule, webhook, workflow
    from keystroke.verify import github, hmac_sha256, open_endpoint, slack, standard_webhooks, stripe, token

    class Lead(BaseModel):
        email: str

    class Cursor(BaseModel):
        after: int = 0
        key: SecretStr | None = None

    @workflow("greet")
    def greet(lead: dict) -> None: ...

    for number, verifier in enumerate([
        standard_webhooks("env:A"), github("operator:B"), stripe("env:C"), slack("env:D"), open_endpoint(), token("env:E"),
        token("env:F", query="key"), hmac_sha256("env:G", header="x-sign", prefix="sha1=", algorithm="sha1", encoding="base64"),
    ]):
        webhook(f"hook-{number}", f"hook-{number}", Lead, verifier).attach(greet)
    webhook(
        "all", "all", Lead, slack("env:D"), match={"header:x-event": ["push"], "body:a.b": [1, None, True]}, dedupe="body:id",
        rate_limit=RateLimit(10, per="1m"), respond=Respond(200, "ok", "text/plain"), challenge="slack",
    ).attach(greet, transform=lambda lead: {})
    schedule("nightly", "0 2 * * MON#2", timezone="Europe/Paris", payload={"a": [1]}).attach(greet)
    schedule(
        "often", every="15m", payload={}, catch_up="all", catch_up_limit=7, overlap="queue_one", starts_at="2027-01-01T00:00:00Z",
        ends_at="2028-01-01T00:00:00Z", pause_after=3, max_lateness="1h", expected_within="1d", jitter="1m",
    ).attach(greet)

    @poll("inbox", every="5m", state=Cursor, dedupe_key=lambda item: str(item), dedupe_for="3d", filter=bool, queue="slow")
    def inbox(state: Cursor | None) -> PollResult: ...
    inbox.attach(greet)
"""
PATH = "/projects/shop/deployments"


@pytest.fixture
def stage(sqlite_database: Database, sqlite_settings: Settings) -> Stage:
    """On one database: what is refused never reaches it, and what is taken is published elsewhere on both."""
    return make_stage(sqlite_database, sqlite_settings, GREET)


def body(manifest: Manifest) -> dict[str, Any]:
    return {"organization": "default", "digest": manifest.digest, "git_commit": None, **manifest.as_json()}


def test_whatever_an_author_may_write_is_deployed_as_it_is(api: Api, tmp_path: Path) -> None:
    project_file = 'organization = "default"\nproject = "shop"\n'
    write_project(tmp_path, {"triggers/every.py": PROJECT}, project_file=project_file)
    for directory in (tmp_path, ROOT / "examples" / "quickstart"):
        manifest = load_project(directory).manifest
        answered = api.post(PATH, json=body(manifest))
        assert answered.status_code == 201, answered.text
        shown = {each["slug"]: each for each in api.get("/triggers?project=shop").json["data"]}
        assert set(shown) == set(manifest.sources)
        for slug, source in manifest.sources.items():
            own = {name: value for name, value in source.options.items() if name != "verify"}
            assert {name: shown[slug]["options"][name] for name in own if name != "payload"} == {
                name: value for name, value in own.items() if name != "payload"
            }


def test_triggers_that_make_no_sense_are_refused(api: Api, tmp_path: Path) -> None:
    write_project(
        tmp_path, {"triggers/every.py": PROJECT}, project_file='organization = "default"\nproject = "shop"\n'
    )
    manifest = load_project(tmp_path).manifest

    def refused(slug: str, /, **changes: Any) -> None:
        source = manifest.sources[slug]
        options = {**source.options, **changes.pop("options", {})}
        wrong = replace(
            manifest, sources={**manifest.sources, slug: replace(source, options=options)}
        ).as_json()
        wrong["sources"][slug] |= changes
        assert_problem(api.post(PATH, json={**body(manifest), **wrong}), 422, "invalid-request")

    for change in (
        {"endpoint": "a/b"}, {"endpoint": "trg_x"}, {"verify": {"scheme": "none"}}, {"verify": {"scheme": "github"}},
        {"verify": {"scheme": "github", "secret": "the secret itself"}}, {"verify": None}, {"match": {"nowhere": ["x"]}},
        {"match": {"header:x": []}}, {"dedupe": "x"}, {"rate_limit": {"limit": 0, "per": 1}},
        {"respond": {"status": 404, "body": "", "content_type": "text/plain"}}, {"challenge": "x"}, {"x": 1},
    ):  # fmt: skip
        refused("all", options=change)
    for change in (
        {"cron": "x"}, {"cron": None}, {"every": 5.0}, {"timezone": "Mars/Base"}, {"overlap": "x"}, {"catch_up": "some"},
        {"catch_up_limit": 0}, {"starts_at": "soon"}, {"jitter": -1}, {"pause_after": 0},
    ):  # fmt: skip
        refused("nightly", options=change)
    for change in ({"every": None}, {"state_schema": {"type": 5}}, {"timeout": 0}, {"unhealthy_after": "x"}):
        refused("inbox", options=change)
    refused("inbox", kind="webhook")
    refused("inbox", slug="outbox")
    refused("inbox", attachments=[])
    refused("inbox", attachments=[{"workflow": "nope"}])
    refused("inbox", attachments=[{"workflow": "greet"}, {"workflow": "greet"}])
    assert api.get("/projects").json["data"][0]["slug"] == "demo"
