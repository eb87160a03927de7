"""`keystroke init`: a project that runs, to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from keystroke.cli.options import debug_option
from keystroke.cli.refusals import DirectoryNotEmpty, QuickstartMissing
from keystroke.settings import PROJECT_FILE

#: What running the example leaves behind is not part of it.
_LEFT_OUT: Final = (".keystroke", "__pycache__", "*.pyc", ".*_cache", ".venv", "new_leads.jsonl")
_FIRST_RUN: Final = """\
keystroke workflows run signup-pipeline --wait --input '{"name": "Ada", "email": "ada@example.com"}'"""


@click.command()
@click.argument("directory", required=False, default=".", type=click.Path(file_okay=False, path_type=Path))
@debug_option
def init(directory: Path) -> None:
    """Write a project into DIRECTORY (else this one): workflows that run, their tests, a Dockerfile."""
    import shutil

    if directory.exists() and any(directory.iterdir()):
        raise DirectoryNotEmpty(directory=directory)
    shutil.copytree(_quickstart(), directory, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True)
    here = directory.resolve() == Path.cwd()
    steps = [
        *([] if here else [f"cd {directory}"]),
        "keystroke dev",
        f"{_FIRST_RUN}   (in a second terminal)",
    ]
    click.echo(f"A project is in {directory.resolve()}. Next:\n")
    click.echo("\n".join(f"    {step}" for step in steps))


def _quickstart() -> Path:
    """The example as the package carries it; in a checkout, where it is kept."""
    package = Path(__file__).resolve().parents[1]
    places = [package / "quickstart", package.parents[2] / "examples" / "quickstart"]
    for place in places:
        if (place / PROJECT_FILE).is_file():
            return place
    raise QuickstartMissing(places=", ".join(map(str, places)))
