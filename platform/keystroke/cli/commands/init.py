"""`keystroke init`: a project that runs, to start from."""

from __future__ import annotations

from pathlib import Path

import click

from keystroke.cli.options import debug_option
from keystroke.errors import DirectoryNotEmpty, QuickstartMissing
from keystroke.settings import PROJECT_FILE

#: What running the example leaves behind is not part of it.
_LEFT_OUT = (".keystroke", "__pycache__", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv")


@click.command()
@click.argument("directory", required=False, default=".", type=click.Path(file_okay=False, path_type=Path))
@debug_option
def init(directory: Path) -> None:
    """Write a project into DIRECTORY (else this one): a workflow with three steps, its tests, a Dockerfile."""
    import shutil

    if directory.exists() and any(directory.iterdir()):
        raise DirectoryNotEmpty(directory=directory)
    shutil.copytree(_quickstart(), directory, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True)
    go_there = "" if directory.resolve() == Path.cwd() else f"    cd {directory}\n"
    click.echo(f"A project is in {directory}. Next:\n\n{go_there}    keystroke dev")
    click.echo('    keystroke workflows run signup-pipeline --wait --input \'{"email": "ada@example.com"}\'')


def _quickstart() -> Path:
    """The example as the package carries it; in a checkout, where it is kept."""
    package = Path(__file__).resolve().parents[1]
    places = [package / "quickstart", package.parents[2] / "examples" / "quickstart"]
    for place in places:
        if (place / PROJECT_FILE).is_file():
            return place
    raise QuickstartMissing(places=", ".join(map(str, places)))
