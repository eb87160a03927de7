"""`keystroke deliveries` against an API that serves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keystroke.cli.main import main
from keystroke.settings import Settings
from keystroke.store import Database
from support.posting import SECRET, Webhooks, open_webhooks
from support.starts import Stage

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def posted(
    sqlite_database: Database, sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Webhooks]:
    """A webhook that is switched off, with two deliveries and one that was refused."""
    monkeypatch.setenv("SENDER", SECRET)
    opened = open_webhooks(
        sqlite_database, sqlite_settings, tmp_path / "project", 'signed("signup").attach(greet)\n'
    )
    opened.change("update sources set disabled_at = 1")
    for name in ("Ada", "Bob"):
        opened.post("signup", {"name": name})
    opened.post("signup", {}, signed=False)
    opened.change("update sources set disabled_at = null")
    yield opened
    opened.api.services.close()


@pytest.fixture
def stage(posted: Webhooks) -> Stage:
    """What the served API stands on."""
    return posted.api.stage


@pytest.fixture
def command(api_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `keystroke deliveries`: exit code, what it printed, and what it said on stderr."""
    monkeypatch.setenv("KEYSTROKE_TARGET", api_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["deliveries", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_deliveries_are_listed_shown_and_replayed(command: Run, posted: Webhooks) -> None:
    refused, bob, ada = json.loads(command("list")[1])["data"]
    assert [each["outcome"] for each in (refused, bob, ada)] == ["rejected", "unrouted", "unrouted"]
    only = json.loads(command("list", "--outcome", "unrouted", "--limit", "1", "--trigger", "signup")[1])
    assert ([each["id"] for each in only["data"]], only["has_more"]) == ([bob["id"]], True)
    assert json.loads(command("list", "--since", "2h", "--until", "1h")[1])["data"] == []
    assert "unrouted" in command("list", "--output", "table")[1]
    assert command("get", bob["id"], "--field", "body.value.name")[1] == "Bob\n"
    code, printed, _ = command("replay", "--outcome", "unrouted", "--dry-run")
    assert (code, [each["replay_of"] for each in json.loads(printed)["data"]]) == (0, [ada["id"], bob["id"]])
    assert posted.runs == []
    code, printed, _ = command("replay", "--outcome", "unrouted", "--limit", "1")
    (replayed,) = json.loads(printed)["data"]
    assert (code, replayed["replay_of"], replayed["run_ids"]) == (0, ada["id"], posted.runs)
    assert "fired" in command("replay", bob["id"], "--output", "table")[1]
    assert len(posted.runs) == 2


def test_what_cannot_be_replayed_is_said(command: Run, posted: Webhooks) -> None:
    code, _, said = command("replay", posted.last().id)
    assert (code, said) == (
        1,
        f"error: The delivery {posted.last().id} cannot be replayed: its body was not kept, since its sender was not known.\n",
    )
    assert command("replay")[0] == 2
    assert command("replay", "dlv_1", "--outcome", "fired")[0] == 2
    assert command("get", "dlv_nope")[0] == 1
