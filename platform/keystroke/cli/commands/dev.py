"""`keystroke dev`: everything on this machine, in one command."""

from __future__ import annotations

import time
from pathlib import Path

import click

from keystroke.cli.options import debug_option
from keystroke.cli.refusals import NoProjectHere
from keystroke.client.workspace import find_project_directory
from keystroke.settings import PROJECT_FILE


@click.command()
@click.option(
    "--project", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the project; else this one, or in a checkout of the repository its example.",
)  # fmt: skip
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=3002,
    show_default=True,
    help="Port of the API; 0: any free one.",
)
@debug_option
def dev(directory: Path | None, port: int) -> int:
    """Run API, worker and beat with an embedded database and broker; reload on change. Ctrl-C stops it all."""
    began = time.monotonic()
    place = directory or find_project_directory(Path.cwd())
    if place is None or not (place / PROJECT_FILE).is_file():
        raise NoProjectHere(directory=place or Path.cwd())
    from keystroke.local.dev import run_dev

    return run_dev(place.resolve(), port, began)
