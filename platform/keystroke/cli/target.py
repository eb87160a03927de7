"""Which server and which project a command means."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from keystroke.cli.refusals import NoProfile, NoTarget, ProjectNotNamed
from keystroke.client.workspace import find_project_directory, find_running_server, read_project_slug

if TYPE_CHECKING:
    from keystroke.client import Client


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and the directory of the project it was found by where it is the local one."""

    url: str
    project_directory: Path | None = None


def find_target(wanted: str | None, directory: Path) -> Target:
    """What `--target` or KEYSTROKE_TARGET names, else the local server of the directory."""
    if wanted and wanted.startswith(("http://", "https://")):
        return Target(_checked(wanted))
    if wanted and ("/" in wanted or ":" in wanted):
        raise click.UsageError(f"--target {wanted}: a URL begins with http:// or https://")
    if wanted and wanted != "local":
        raise NoProfile(target=wanted)
    found = find_running_server(directory)
    if found is None:
        raise NoTarget
    workspace, address = found
    return Target(address.url, workspace.project_directory)


def _checked(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError as error:
        raise click.UsageError(f"--target {url}: {error}") from error
    if not host:
        raise click.UsageError(f"--target {url}: names no host")
    return url.rstrip("/")


def find_project(wanted: str | None, target: Target, client: Client) -> str:
    """The slug of the project: as named, as KEYSTROKE_PROJECT or the project's file says, or the server's only one."""
    directory = target.project_directory or find_project_directory(Path.cwd())
    slug = (
        wanted or os.environ.get("KEYSTROKE_PROJECT") or (read_project_slug(directory) if directory else "")
    )
    return slug or _only_project(client)


def _only_project(client: Client) -> str:
    slugs = [str(project["slug"]) for project in client.list_projects()]
    if len(slugs) == 1:
        return slugs[0]
    raise ProjectNotNamed(projects=f"There are {', '.join(slugs)}." if slugs else "The server has none yet.")
