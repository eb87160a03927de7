"""Deployments: published, listed and made current through the API; runs that have started stay with their code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from keystroke.authoring.project import load_project
from keystroke.domain.lease import Claimant
from keystroke.domain.outcome import Completed, Failed
from keystroke.domain.states import Reason, Status
from keystroke.execution.attempt import run_attempt
from keystroke.execution.gate import QuietGate
from keystroke.operations.claim_run import claim_run
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.fleet_state import set_worker_draining
from keystroke.operations.wake_due import wake_due
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.api import Api, assert_problem
from support.attempts import PREAMBLE, Rig
from support.projects import write_project
from support.starts import GREET

DIGEST = "ab" * 32
DEPLOYMENTS = "/projects/demo/deployments"
_AUDIT = Sql("select action, target from audit_log order by id")


def manifest(digest: str = DIGEST, **changes: Any) -> dict[str, Any]:
    """A manifest of one workflow, `greet`."""
    workflows = {"greet": {**GREET.as_json(), **changes}}
    return {"organization": "default", "digest": digest, "git_commit": "0" * 40, "workflows": workflows}


def audited(api: Api) -> list[tuple[str, str]]:
    with api.stage.database.read() as tx:
        return [(row.action, row.target) for row in tx.rows(_AUDIT)]


def test_a_version_is_published_once_and_is_current_at_once(api: Api) -> None:
    first = api.post(DEPLOYMENTS, json=manifest(queue="fast", budget="5.00", timeout=90))
    assert first.status_code == 201, first.text
    document: Any = first.json
    assert (document["digest"], document["current"], document["workflows"]) == (DIGEST, True, ["greet"])
    again = api.post(DEPLOYMENTS, json=manifest())
    assert (again.status_code, again.json["id"]) == (200, document["id"])
    workflow = api.get("/projects/demo/workflows/greet").json
    assert (workflow["queue"], workflow["budget"], workflow["timeout"]) == ("fast", "5.00", 90.0)
    listed = api.get(DEPLOYMENTS).json["data"]
    assert [each["current"] for each in listed] == [True, False]
    assert listed[0] == again.json
    assert [action for action, _ in audited(api)] == ["deployment.publish"]


def test_an_older_version_is_made_current_again(api: Api) -> None:
    newer = api.post(DEPLOYMENTS, json=manifest()).json
    older = api.get(DEPLOYMENTS).json["data"][1]
    activated = api.post(f"{DEPLOYMENTS}/{older['id']}/activate", json={})
    assert (activated.status_code, activated.json["current"]) == (200, True)
    assert api.post(f"{DEPLOYMENTS}/{older['id']}/activate").status_code == 200
    assert [each["current"] for each in api.get(DEPLOYMENTS).json["data"]] == [False, True]
    # What was published before changes nothing by being published again.
    assert api.post(DEPLOYMENTS, json=manifest()).json["current"] is False
    assert audited(api) == [("deployment.publish", newer["id"]), ("deployment.activate", older["id"])]
    assert_problem(api.post(f"{DEPLOYMENTS}/dep_nowhere/activate"), 404, "deployment-not-found")


def test_the_list_says_how_many_runs_go_on_with_a_version(api: Api) -> None:
    stage = api.stage
    first = stage.start_and_claim()
    stage.start_and_claim()
    stage.start()
    stage.finish(first)
    document = api.get(DEPLOYMENTS).json["data"][0]
    assert (document["active_runs"], document["workers"]) == (1, 1)


BAD_MANIFESTS: tuple[dict[str, Any], ...] = (
    {"digest": "short"}, {"extra": 1}, {"git_commit": "a b"}, {"workflows": {"other": GREET.as_json()}},
    {"workflows": {"greet": {**GREET.as_json(), "surprise": 1}}},
)  # fmt: skip
BAD_OPTIONS: tuple[dict[str, Any], ...] = (
    {"input_schema": {"type": "no such type"}}, {"queue": "Not A Queue"}, {"priority": 11}, {"priority": True},
    {"timeout": 0}, {"timeout": -1}, {"max_attempts": 0}, {"retry": {"first": 1}}, {"budget": "0"}, {"budget": "1e5"},
    {"budget": 5}, {"concurrency": {"limit": 0}}, {"concurrency": {"limit": 1, "key": "{secret}"}},
    {"rate_limit": {"limit": 1, "per": 0}}, {"on_failure": "nobody"}, {"durability": "none"}, {"name": "a\x00b"},
    {"tags": {"k": 1}}, {"tool": "yes"},
)  # fmt: skip


def test_a_manifest_that_is_none_is_refused_and_so_is_each_option(api: Api) -> None:
    for changes in BAD_MANIFESTS:
        assert_problem(api.post(DEPLOYMENTS, json=manifest() | changes), 422, "invalid-request")
    for changes in BAD_OPTIONS:
        assert_problem(api.post(DEPLOYMENTS, json=manifest(**changes)), 422, "invalid-request")
    assert len(api.get(DEPLOYMENTS).json["data"]) == 1


def test_only_administrators_publish_and_a_key_of_one_project_for_that_alone(api: Api) -> None:
    admin, runner = api.key("admin"), api.key("runner")
    assert api.get(DEPLOYMENTS, headers=runner).status_code == 200
    assert_problem(api.post(DEPLOYMENTS, json=manifest(), headers=runner), 403)
    own = api.key("admin", project="demo")
    assert api.post(DEPLOYMENTS, json=manifest(), headers=own).status_code == 201
    elsewhere = "/projects/elsewhere/deployments"
    assert_problem(api.post(elsewhere, json=manifest(), headers=own), 404, "project-not-found")
    assert api.post(elsewhere, json=manifest(), headers=admin).status_code == 201
    foreign = api.key("admin", organization="foreign")
    assert_problem(api.post(DEPLOYMENTS, json=manifest(), headers=foreign), 422, "foreign-organization")
    assert_problem(api.get(DEPLOYMENTS, headers=foreign), 404)
    mine = api.get(DEPLOYMENTS, headers=admin).json["data"][0]["id"]
    assert_problem(api.post(f"{DEPLOYMENTS}/{mine}/activate", headers=foreign), 404)
    assert_problem(api.post("/projects/No Slug/deployments", json=manifest(), headers=admin), 404)


def test_a_recorded_run_is_for_administrators_and_its_secrets_stay_sealed(api: Api) -> None:
    schema = {
        "type": "object",
        "properties": {"key": {"type": "string", "format": "password", "writeOnly": True}},
    }
    assert api.post(DEPLOYMENTS, json=manifest(input_schema=schema)).status_code == 201
    run_id = api.client.post(
        "/api/v1/projects/demo/workflows/greet/runs", json={"input": {"key": "s3cret", "token": "plain"}}
    ).json["run_id"]
    journal = api.get(f"/runs/{run_id}/journal")
    assert journal.status_code == 200
    assert journal.json["input"]["token"] == "plain"
    assert "s3cret" not in journal.text
    assert ("run.journal", run_id) in audited(api)
    runner = api.key("runner")
    assert_problem(api.get(f"/runs/{run_id}/journal", headers=runner), 403)
    assert_problem(api.get(f"/runs/{run_id}/journal", headers=api.key("admin", organization="foreign")), 404)


NAPPING = """
    @action
    def charge(cents: int) -> str:
        CALLS.append(cents)
        return "receipt"

    @action(retries=1, backoff=Backoff(first="1h", longest="1h"))
    def ship(receipt: str) -> str:
        if not CALLS or CALLS[-1] != "open":
            CALLS.append("open")
            raise ConnectionError("closed")
        return "shipped"

    @workflow("order")
    def order() -> str:
        return ship(charge(500))
"""


class Versions:
    """Two versions of a project on one database, each with a worker."""

    def __init__(self, database: Database, settings: Settings, directory: Path, changed: str) -> None:
        self.old = self._rig(database, settings, directory / "old", NAPPING)
        self.new = self._rig(database, settings, directory / "new", changed)

    def _rig(self, database: Database, settings: Settings, directory: Path, source: str) -> Rig:
        text = PREAMBLE + dedent(source)
        return Rig(database, settings, load_project(write_project(directory, {"workflows/flows.py": text})))

    def attempt(self, rig: Rig) -> Any:
        """Claim as that version's worker, and make the attempt; None where nothing is for it."""
        wake_due(rig.database)
        lease = claim_run(rig.database, self.claimant(rig))
        if lease is None:
            return None
        result = run_attempt(rig.database, rig.project, lease, QuietGate(), rig.settings, rig.stage.box)
        finish_attempt(rig.database, lease, result.outcome, result.active, rig.settings, None)
        return result.outcome

    @staticmethod
    def claimant(rig: Rig) -> Claimant:
        return replace(rig.stage.claimant, workflows=tuple(rig.project.workflows))


def suspended(database: Database, settings: Settings, directory: Path, changed: str) -> tuple[Versions, str]:
    """A run that the old version has begun, and that is due again after the new one has become current."""
    versions = Versions(database, settings, directory, changed)
    old = versions.old
    with database.transaction() as tx:
        from keystroke.store import deployments

        deployments.activate(tx, old.stage.project, old.stage.claimant.deployment_id)
    run_id = old.start("order")
    versions.attempt(old)
    assert old.run(run_id).status is Status.SLEEPING
    with database.transaction() as tx:
        deployments.activate(tx, old.stage.project, versions.new.stage.claimant.deployment_id)
    for rig in (versions.old, versions.new):
        rig.advance(4000)
    return versions, run_id


def test_a_suspended_run_goes_to_its_own_version_while_a_worker_of_it_is_alive(
    sqlite_database: Database, sqlite_settings: Settings, tmp_path: Path
) -> None:
    versions, run_id = suspended(sqlite_database, sqlite_settings, tmp_path, NAPPING + "\n    # new\n")
    assert versions.attempt(versions.new) is None
    assert versions.attempt(versions.old) == Completed("shipped")
    assert versions.old.run(run_id).deployment == versions.old.stage.claimant.deployment_id


@pytest.mark.parametrize("matches", [True, False])
def test_without_such_a_worker_the_current_version_takes_it_and_the_record_decides(
    sqlite_database: Database, sqlite_settings: Settings, tmp_path: Path, matches: bool
) -> None:
    changed = NAPPING + "\n    # new\n" if matches else NAPPING.replace("charge(500)", "charge(700)")
    changed = changed.replace('if not CALLS or CALLS[-1] != "open"', "if False")
    versions, run_id = suspended(sqlite_database, sqlite_settings, tmp_path, changed)
    set_worker_draining(versions.old.database, versions.old.stage.claimant.worker_id)
    outcome = versions.attempt(versions.new)
    run = versions.new.run(run_id)
    assert run.deployment == versions.new.stage.claimant.deployment_id
    if matches:
        assert outcome == Completed("shipped")
        return
    assert isinstance(outcome, Failed)
    assert (run.status, run.status_reason) == ("failed", Reason.NONDETERMINISM)
    assert run.error is not None
    assert "cents=500" in run.error["message"]
    assert "cents=700" in run.error["message"]
