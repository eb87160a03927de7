"""The file `keystroke.toml`: whose project it is, and where its code lies."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keystroke.authoring.definition import SLUG
from keystroke.errors import ProjectErrors, ProjectProblem
from keystroke.settings import PROJECT_FILE

_KEYS: Final = frozenset({"organization", "project", "source", "settings"})
_DEFAULT_ORGANIZATION: Final = "default"


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What the file says; `directory` and `source` are resolved paths, the names are slugs."""

    directory: Path
    organization: str
    project: str
    source: Path


def read_project_file(directory: Path) -> ProjectFile:
    """Read the project's file; ProjectErrors lists all that is wrong with it."""
    directory = directory.resolve()
    data, problems = _parse(directory / PROJECT_FILE)
    if not problems:
        problems = _find_problems(directory, data)
    if problems:
        listed = [ProjectProblem(PROJECT_FILE, None, message) for message in problems]
        raise ProjectErrors(str(directory), listed)
    organization = data.get("organization", _DEFAULT_ORGANIZATION)
    return ProjectFile(
        directory, organization, data["project"], (directory / data.get("source", ".")).resolve()
    )


def _parse(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), []
    except FileNotFoundError:
        return {}, ["the file is not there; `keystroke init` makes a project"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [str(error)]


def _find_problems(directory: Path, data: dict[str, Any]) -> list[str]:
    problems = [f"unknown key {key!r}; there are {', '.join(sorted(_KEYS))}" for key in data.keys() - _KEYS]
    for key in ("organization", "project"):
        value = data.get(key, _DEFAULT_ORGANIZATION if key == "organization" else None)
        if value is None:
            problems.append(f'{key} is missing: write {key} = "signup"')
        elif not (isinstance(value, str) and SLUG.match(value)):
            problems.append(f"{key} is {value!r}; write it in small letters, digits and dashes")
    source = data.get("source", ".")
    if not isinstance(source, str) or not (directory / source).is_dir():
        problems.append(f"source is {source!r}; there is no such folder")
    return sorted(problems)
