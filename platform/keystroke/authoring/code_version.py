"""Which version of its code a project is: a digest over its files, and the git commit where there is one."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: Folders that hold no code of the project itself, beside hidden ones and virtual environments.
_FOREIGN: Final = frozenset({"__pycache__", "node_modules", "site-packages", "tests"})
#: Below these every file counts, since code reads prompts, queries and templates that lie beside it.
DEFINITION_FOLDERS: Final = ("workflows", "actions", "triggers")
_GIT_PATIENCE: Final = 10.0


def code_files(source: Path) -> list[Path]:
    """The project's code, sorted: every `.py` file, and in the folders of definitions every file; tests left out."""
    return sorted(_walk(source))


def code_digest(source: Path) -> str:
    """SHA-256 over the names and contents of the code files, in hexadecimal; equal wherever the project is copied to."""
    whole = hashlib.sha256()
    for path in code_files(source):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(source).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


def git_commit(directory: Path) -> str | None:
    """The commit that is checked out, with `-dirty` where files differ from it; None without git."""
    command = ["git", "-C", str(directory), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        described = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_PATIENCE, check=False, env=environment
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None


def _walk(source: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(source):
        here = Path(folder)
        subfolders[:] = [name for name in subfolders if _is_own(here / name)]
        everything = here != source and here.relative_to(source).parts[0] in DEFINITION_FOLDERS
        yield from (here / name for name in names if _is_code(name, everything=everything))


def _is_own(folder: Path) -> bool:
    return not (folder.name.startswith(".") or folder.name in _FOREIGN or (folder / "pyvenv.cfg").exists())


def _is_code(name: str, *, everything: bool) -> bool:
    return not name.startswith(".") and (name.endswith(".py") or (everything and not name.endswith(".pyc")))
