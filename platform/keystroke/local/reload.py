"""Changes of a project's files, as they are saved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from keystroke.client.workspace import Workspace


async def watch_changes(workspace: Workspace) -> AsyncIterator[list[Path]]:
    """The changed files, gathered over a few tenths of a second, relative to the project.

    Only sources and configuration count (`.py`, `.toml`): a workflow may write data into its own directory.
    """
    from watchfiles import PythonFilter, awatch

    directory = workspace.project_directory
    sources = PythonFilter(ignore_paths=[workspace.state], extra_extensions=(".toml",))
    async for changes in awatch(
        directory, watch_filter=sources, debounce=400, step=50, ignore_permission_denied=True
    ):
        yield sorted({Path(path).relative_to(directory) for _, path in changes})
