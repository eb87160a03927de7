"""`keystroke init`: the quickstart, in a new directory or an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    left_out = {".keystroke", "__pycache__", ".pytest_cache"}
    assert not left_out.intersection(path.name for path in (tmp_path / "mine").rglob("*"))


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
