"""`keystroke init`: the quickstart, in a new directory or an empty one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from keystroke.cli.commands.init import _quickstart
from keystroke.cli.main import main


def test_it_writes_the_quickstart_and_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine"]) == 0
    said = capsys.readouterr().out
    assert [line.strip().split("  ")[0] for line in said.splitlines()[2:4]] == ["cd mine", "keystroke dev"]
    assert "keystroke workflows run signup-pipeline --wait" in said
    for part in (
        "keystroke.toml",
        "Dockerfile",
        "README.md",
        "workflows/signup_pipeline.py",
        "tests/test_workflows.py",
    ):
        assert (tmp_path / "mine" / part).is_file(), part


def test_what_running_the_example_has_left_behind_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = tmp_path / "used"
    shutil.copytree(_quickstart(), used)
    left_behind = [line.strip("/") for line in (used / ".gitignore").read_text(encoding="utf-8").splitlines()]
    for name in left_behind:
        if not (used / name).exists():
            (used / name).mkdir()
    monkeypatch.setattr("keystroke.cli.commands.init._quickstart", lambda: used)
    assert main(["init", str(tmp_path / "mine")]) == 0
    written = {path.name for path in (tmp_path / "mine").rglob("*")}
    assert not written.intersection([*left_behind, ".pytest_cache"])


def test_the_directory_that_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert (tmp_path / "keystroke.toml").is_file()
    assert "cd " not in capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("data", encoding="utf-8")
    assert main(["init", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
