"""`keystroke secrets` against an API that serves."""

from __future__ import annotations

import io
import json

import pytest

from keystroke.cli.main import main
from keystroke.settings import Settings
from keystroke.store import Database
from support.api import Api
from support.starts import GREET, Stage, make_stage


@pytest.fixture
def stage(sqlite_database: Database, sqlite_settings: Settings) -> Stage:
    """A published project, on one database: the command line knows neither."""
    return make_stage(sqlite_database, sqlite_settings, GREET)


def live(api: Api) -> list[str]:
    api.services.secrets.forget(api.stage.project.id, "SHOP")
    return list(api.services.secrets.live(api.stage.project.id, "operator:SHOP"))


def test_secrets_are_set_listed_and_deleted_and_never_shown(
    api: Api, api_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYSTROKE_TARGET", api_url)

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(["secrets", *arguments, "--project", "demo"])
        printed = capsys.readouterr()
        assert "hush" not in printed.out + printed.err
        return code, printed.out, printed.err

    assert run("set", "SHOP", stdin="hush 1\n")[0] == 0
    assert live(api) == ["hush 1"]
    assert run("set", "SHOP", "--value", "hush 2", "--grace", "1h")[0] == 0
    assert live(api) == ["hush 2", "hush 1"]
    assert run("set", "SHOP", "--value", "hush 3", "--grace", "0")[0] == 0
    assert live(api) == ["hush 3"]
    [row] = json.loads(run("list")[1])
    assert row["name"] == "SHOP"
    assert "Former one until" in run("list", "--output", "table")[1]
    assert run("set", "SHOP")[0] == 2, "nothing came"
    assert run("set", "SHOP", "--grace", "soon", stdin="hush")[0] == 2
    assert run("set", "2SHOP", stdin="hush")[0] == 1
    code, printed, said = run("delete", "SHOP")
    assert (code, printed, said) == (0, "", "SHOP is deleted\n")
    assert run("delete", "SHOP")[0] == 1
