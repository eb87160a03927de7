"""`keystroke api`, `worker`, `beat`: the deployables one by one, on the configured database and broker."""

from __future__ import annotations

from pathlib import Path

import click

from keystroke.cli.components import NEEDS, entry_of
from keystroke.cli.options import debug_option
from keystroke.settings import Settings


@click.command()
@debug_option
def api() -> int:
    """Serve the HTTP API and the web app."""
    return entry_of("api")(Settings.load(require=NEEDS["api"]))


@click.command()
@click.option(
    "--project", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
    help="Directory of the project whose workflows it runs; else this one.",
)  # fmt: skip
@debug_option
def worker(directory: Path) -> int:
    """Run the workflows of a project."""
    place = directory.resolve()
    return entry_of("worker")(Settings.load(directory=place, require=NEEDS["worker"]), place)


@click.command()
@debug_option
def beat() -> int:
    """Keep time: wake what is due, recover what was lost. Run as many as you like."""
    return entry_of("beat")(Settings.load(require=NEEDS["beat"]))
