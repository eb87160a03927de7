"""`keystroke hooks` against an API that serves: by id, by token, by the link itself."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from keystroke.cli.main import main
from keystroke.domain.asking import AskingStatus
from keystroke.domain.secrets import HOOK_TOKEN
from keystroke.settings import Settings
from keystroke.store import Database
from support.hooks import YES, answer, recorded_answer, waiting
from support.starts import GREET, Stage, make_stage

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stage(sqlite_database: Database, sqlite_settings: Settings) -> Stage:
    """A published project, on one database: the command line knows neither."""
    return make_stage(sqlite_database, sqlite_settings, GREET)


@pytest.fixture
def hooks(api_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `keystroke hooks`: exit code, what it printed, and what it said on stderr."""
    monkeypatch.setenv("KEYSTROKE_TARGET", api_url)

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(["hooks", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_what_waits_is_listed_without_its_link(hooks: Run, stage: Stage) -> None:
    first, second = waiting(stage, "first"), waiting(stage, "second")
    code, printed, _ = hooks("list")
    assert code == 0
    assert [each["id"] for each in json.loads(printed)["data"]] == [second.id, first.id]
    assert HOOK_TOKEN.search(printed) is None
    answer(stage, first)
    assert [each["id"] for each in json.loads(hooks("list")[1])["data"]] == [second.id]
    assert [each["name"] for each in json.loads(hooks("list", "--status", "answered")[1])["data"]] == [
        "first"
    ]
    assert len(json.loads(hooks("list", "--status", "all", "--limit", "1")[1])["data"]) == 1
    assert json.loads(hooks("list", "--run", first.run_id)[1])["data"] == []
    table = hooks("list", "--output", "table")[1]
    assert "second" in table
    assert "Until" in table


@pytest.mark.parametrize("by", ["id", "token", "url", "query"])
def test_a_hook_is_answered_by_whatever_names_it(hooks: Run, api_url: str, stage: Stage, by: str) -> None:
    question = waiting(stage)
    link = f"{api_url}{question.path}"
    named = {"id": question.id, "token": question.token, "url": link, "query": f"{link}?confirm=1"}[by]
    assert hooks("resume", named, "--input", '{"approved": "perhaps"}')[0] == 1
    assert recorded_answer(stage, question).status is AskingStatus.WAITING
    code, printed, _ = hooks("resume", named, "--input", json.dumps(YES))
    assert (code, json.loads(printed)["status"]) == (0, "answered")
    code, _, said = hooks("resume", named, "--input", json.dumps(YES))
    assert (code, said) == (
        1,
        "error: The hook approval has been answered already; the first answer counts.\n",
    )
    assert recorded_answer(stage, question).status is AskingStatus.ANSWERED


def test_the_answer_comes_from_a_file_or_from_stdin(hooks: Run, stage: Stage, tmp_path: Path) -> None:
    first, second = waiting(stage, "first"), waiting(stage, "second")
    (tmp_path / "answer.json").write_text(json.dumps(YES), encoding="utf-8")
    assert hooks("resume", first.id, "--input", f"@{tmp_path / 'answer.json'}")[0] == 0
    assert hooks("resume", second.id, "--input", "-", stdin=json.dumps(YES))[0] == 0


def test_what_is_no_hook_is_told(hooks: Run, api_url: str) -> None:
    for named in (
        "hook_none",
        "hkt_" + "a" * 32,
        f"{api_url}/hooks/hkt_{'a' * 32}",
        f"{api_url}/history",
        "http://[",
        "nothing/at/all",
    ):
        code, printed, said = hooks("resume", named, "--input", "{}")
        assert (code, printed) == (1, ""), named
        assert said.startswith("error: "), named
        assert "a" * 32 not in said, "the token is not repeated"
    assert hooks("resume", "hook_none")[0] == 2, "an answer is needed"
    assert hooks("resume", "hook_none", "--input", "{")[0] == 2
