"""Projects that stand in a page of the documentation: each block that begins with a path is that file, or goes on with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from support.projects import write_project
from support.sources import ROOT

_BLOCK: Final = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```", re.DOTALL)
_PYTHON: Final = re.compile(r"```python\n(.*?)\n")


def page(name: str) -> str:
    """The text of a page of `docs`."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def files(text: str) -> dict[str, str]:
    """The files of the page's project by path."""
    found: dict[str, str] = {}
    for path, body in _BLOCK.findall(text):
        found[path] = f"{found[path]}\n\n{body}" if path in found else body
    return found


def blocks_without_a_file(text: str) -> list[str]:
    """First lines of Python that nothing executes."""
    return [line for line in _PYTHON.findall(text) if not line.startswith("# ")]


def write_page_project(directory: Path, text: str) -> Path:
    """Write the page's project, with the setting for pytest that the pages tell."""
    write_project(directory, files(text))
    (directory / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    return directory


def run_its_tests(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a project's own tests as its author does; a warning is a failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
