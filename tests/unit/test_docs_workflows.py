"""The page for authors: its project is loaded, its own test run, and what it says of options is so."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keystroke import action, workflow
from keystroke.authoring.context import Context
from keystroke.authoring.project import load_project
from support.projects import write_project

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the page: each of its files is a block that begins with its path."""
    blocks = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    return write_project(tmp_path, dict(blocks))


def test_its_project_loads(project: Path) -> None:
    loaded = load_project(project)
    assert set(loaded.workflows) == {"signup-pipeline", "price-list"}
    assert set(loaded.actions) == {"research", "price", "charge"}


def test_its_test_passes(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_option_and_every_word_of_the_context_is_told() -> None:
    options = {*inspect.signature(workflow).parameters, "retries", "backoff", "retry_on", "timeout"}
    assert {option for option in options if option not in PAGE} == set()
    words = {name for name in dir(Context) if not name.startswith("_")}
    assert {word for word in words if f"ctx.{word}" not in PAGE} == set()
    assert inspect.getdoc(action)
