"""`keystroke deploy` against a real API: what it publishes, what it says has changed, and which runs would not go on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from keystroke.authoring.project import load_project
from keystroke.box import Box
from keystroke.client import Client
from keystroke.domain.states import Status
from keystroke.errors import ServerUnreachable
from keystroke.local.ports import free_port
from keystroke.settings import Settings
from keystroke.store import Database
from support.attempts import PREAMBLE, Rig
from support.processes import Processes, environment_of
from support.projects import write_project
from support.waiting import wait_until

PROJECT_FILE = 'organization = "default"\nproject = "shop"\n'
ORDER = """
    from pydantic import SecretStr

    @action
    def charge(cents: int) -> str:
        print("a body ran")
        return "receipt"

    @action(retries=1, backoff=Backoff(first="1h", longest="1h"))
    def ship(receipt: str, key: SecretStr) -> str:
        raise ConnectionError("closed")

    @workflow("order")
    def order(key: SecretStr) -> str:
        print("said between the steps")
        return ship(charge(500), key)
"""


class Deploying:
    """A project's directory, a server, and the command."""

    def __init__(self, directory: Path, url: str, settings: Settings) -> None:
        self.directory = directory
        self._url = url
        self._settings = settings

    def write(self, source: str) -> None:
        """Change the code."""
        files = {"workflows/flows.py": PREAMBLE + dedent(source)}
        write_project(self.directory, files, project_file=PROJECT_FILE)

    def run(self, *arguments: str, code: int = 0, secret: bool = True) -> subprocess.CompletedProcess[str]:
        """`keystroke deploy` with these arguments."""
        program = str(Path(sys.executable).parent / "keystroke")
        configured = environment_of(self._settings)
        own = {"PATH": "", "KEYSTROKE_TARGET": self._url}
        if secret:
            own["KEYSTROKE_SECRET_KEY"] = configured["KEYSTROKE_SECRET_KEY"]
        done = subprocess.run(
            [program, "deploy", *arguments],
            env=own,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    def json(self, *arguments: str, code: int = 0, **options: Any) -> Any:
        """What it printed."""
        return json.loads(self.run(*arguments, code=code, **options).stdout)


@pytest.fixture
def deploying(
    sqlite_database: Database,
    sqlite_settings: Settings,
    processes: Processes,
    broker_url: str,
    tmp_path: Path,
) -> Deploying:
    """The project, not yet deployed, and a server that knows nothing."""
    port = free_port(0)
    settings = replace(sqlite_settings, broker_url=broker_url, listen=f"127.0.0.1:{port}")
    processes.keystroke("api", settings=settings)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            with Client(url) as client:
                return client.list_projects() == []
        except ServerUnreachable:
            return False

    wait_until(answers, what="the API answers")
    found = Deploying(tmp_path / "shop", url, settings)
    found.write(ORDER)
    return found


def test_from_the_first_deployment_to_a_run_that_would_not_go_on(
    deploying: Deploying, sqlite_database: Database, sqlite_settings: Settings
) -> None:
    first = deploying.json()
    assert (first["current"], first["workflows"]) == (True, ["order"])
    assert first["changes"] == {"new": ["order"], "removed": [], "changed": []}
    assert deploying.json()["changes"] == {"new": [], "removed": [], "changed": []}

    rig = Rig(sqlite_database, sqlite_settings, load_project(deploying.directory))
    rig.stage.box = Box(sqlite_settings.secret_key)
    run_id = rig.start("order", "pw")
    rig.attempt()
    assert rig.run(run_id).status is Status.SLEEPING
    rig.start("order", "pw")  # has not started, and is none of what is looked at

    matching = deploying.run("--check")
    assert json.loads(matching.stdout) == {"checked": 1, "data": []}
    assert matching.stderr.strip() == "1 suspended run: 1 fits this code"
    blind = deploying.run("--check", code=1, secret=False)
    assert [row["verdict"] for row in json.loads(blind.stdout)["data"]] == ["unchecked"]
    assert blind.stderr.strip() == "1 suspended run: 0 fit this code, 1 could not be checked"

    deploying.write(ORDER.replace("charge(500)", "charge(700)").replace('"order"', '"order", timeout=60'))
    found = deploying.json("--check", code=1)
    assert found["checked"] == 1
    (row,) = found["data"]
    assert (row["id"], row["workflow"], row["status"], row["verdict"], row["step"]) == (
        run_id, "order", "sleeping", "mismatch", "charge#0",
    )  # fmt: skip
    assert "recorded: action charge(cents=500)\nactual:   action charge(cents=700)" in row["message"]

    second = deploying.json()
    assert (second["current"], second["changes"]["changed"]) == (True, ["order"])
    deploying.write(ORDER)
    back = deploying.json()
    assert (back["id"], back["current"], back["changes"]["changed"]) == (first["id"], True, ["order"])


def test_whatever_is_wrong_with_the_project_is_named_and_nothing_is_published(deploying: Deploying) -> None:
    deploying.write(ORDER.replace('@workflow("order")', '@workflow("No Slug", priority=99)'))
    refused = deploying.run(code=1)
    assert "workflows/flows.py:" in refused.stderr
    assert "slug" in refused.stderr
    assert "priority" in refused.stderr
    deploying.write(ORDER)
    assert deploying.json()["changes"]["new"] == ["order"]
