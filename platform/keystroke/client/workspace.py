"""What Keystroke keeps beside a project, in `.keystroke/`, and which project a directory belongs to."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keystroke.settings import PROJECT_FILE

STATE_DIRECTORY: Final = ".keystroke"
#: Where the example project lies in a checkout of the repository.
_EXAMPLE: Final = Path("examples", "quickstart")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the local server of a project answers, and the process id of the `keystroke dev` that runs it."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of `.keystroke/` of one project. Nothing here is made until it is written."""

    project_directory: Path

    @property
    def state(self) -> Path:
        """The directory that holds all of them."""
        return self.project_directory / STATE_DIRECTORY

    @property
    def database_file(self) -> Path:
        """The embedded database."""
        return self.state / "keystroke.db"

    @property
    def database_url(self) -> str:
        """The embedded database as a URL."""
        return f"sqlite:///{self.database_file}"

    @property
    def address_file(self) -> Path:
        """Where the running server says how to reach it."""
        return self.state / "server.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the running `keystroke dev` alone: the kernel lets go of it when that dies."""
        return self.state / "dev.lock"

    def make_state(self) -> None:
        """Make the directory, for this user alone, and keep it out of version control."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = self.state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    def write_address(self, address: ServerAddress) -> None:
        """Say where the server answers; readers see the old file or the new one."""
        draft = self.address_file.with_suffix(".new")
        draft.write_text(json.dumps({"url": address.url, "pid": address.pid}), encoding="utf-8")
        draft.replace(self.address_file)

    def remove_address(self) -> None:
        """The server is gone."""
        self.address_file.unlink(missing_ok=True)

    def read_address(self) -> ServerAddress | None:
        """What the file says, or None; whether somebody answers there is `running_server`'s question."""
        try:
            data = json.loads(self.address_file.read_text(encoding="utf-8"))
            return ServerAddress(url=str(data["url"]), pid=int(data["pid"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # a file that cannot be read names no server, as a missing one

    def running_server(self) -> ServerAddress | None:
        """The address of the server that runs now; what a killed `keystroke dev` left does not count."""
        address = self.read_address()
        return address if address is not None and self.is_locked() else None

    def is_locked(self) -> bool:
        """Whether a `keystroke dev` of this project is alive."""
        import fcntl

        try:
            descriptor = os.open(self.lock_file, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def find_project_directory(start: Path) -> Path | None:
    """The project that a directory lies in: it or its nearest parent with a `keystroke.toml`.

    In a checkout of the repository, outside of any project, it is the example.
    """
    for directory in (start, *start.parents):
        if (directory / PROJECT_FILE).is_file():
            return directory
    for directory in (start, *start.parents):
        example = directory / _EXAMPLE
        if (example / PROJECT_FILE).is_file() and (directory / "platform" / "keystroke").is_dir():
            return example
    return None


def find_running_server(start: Path) -> tuple[Workspace, ServerAddress] | None:
    """The running local server of a directory: its own, a parent's, or that of the checkout's example."""
    candidates = [start, *start.parents]
    project = find_project_directory(start)
    for directory in [*candidates, project] if project else candidates:
        workspace = Workspace(directory)
        address = workspace.running_server()
        if address is not None:
            return workspace, address
    return None


def read_project_slug(directory: Path) -> str:
    """The slug that the project's file names, or an empty text."""
    try:
        data = tomllib.loads((directory / PROJECT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(data.get("project", ""))
