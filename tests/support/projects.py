"""Writes small projects to load."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

PROJECT_FILE = 'organization = "acme"\nproject = "shop"\n'


def write_project(directory: Path, files: dict[str, str], *, project_file: str = PROJECT_FILE) -> Path:
    """A project in the directory, its files given by relative path; gives the directory."""
    for name, text in {"keystroke.toml": project_file, **files}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return directory
