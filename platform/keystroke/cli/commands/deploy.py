"""`keystroke deploy`: publish the project's definitions to the target, or look what they would break there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keystroke.cli.options import remote_options
from keystroke.cli.refusals import NoProjectHere
from keystroke.cli.session import session_of
from keystroke.client.workspace import find_project_directory
from keystroke.settings import PROJECT_FILE

if TYPE_CHECKING:
    from keystroke.authoring.project import LoadedProject
    from keystroke.client import Client


@click.command()
@click.option(
    "--project", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the project; else this one, or in a checkout of the repository its example.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True,
    help="Publish nothing; list the suspended runs whose recorded steps this code does not match.",
)  # fmt: skip
@remote_options
@click.pass_context
def deploy(context: click.Context, directory: Path | None, check: bool) -> int:
    """Publish the project's definitions and make them the current ones, also when they were published before.

    Runs that have started stay with workers of their own version while one is alive. With --check nothing is published:
    each suspended run is rehearsed, its code executed here up to the first call that is not on record.
    """
    session = session_of(context)
    target = session.find_target()
    project = _load(directory or find_project_directory(Path.cwd()))
    with session.connect(target) as client:
        if not check:
            session.show(_publish(client, project), kind="deployment")
            return 0
        from keystroke.cli.rehearsing import rehearse_suspended, secret_box

        checked = rehearse_suspended(client, project, secret_box(project.directory, target))
    session.show({"checked": checked.count, "data": checked.rows}, kind="mismatches")
    click.echo(checked.sentence, err=True)
    return 1 if checked.rows else 0


def _load(directory: Path | None) -> LoadedProject:
    """The project; ProjectErrors names everything that is wrong with it."""
    if directory is None or not (directory / PROJECT_FILE).is_file():
        raise NoProjectHere(directory=directory or Path.cwd())
    from keystroke.authoring.project import load_project

    return load_project(directory)


def _publish(client: Client, project: LoadedProject) -> dict[str, Any]:
    manifest = project.manifest
    body = {
        "organization": manifest.organization, "digest": manifest.digest, "git_commit": manifest.git_commit,
        **manifest.as_json(),
    }  # fmt: skip
    new = body["workflows"]
    old = _current_workflows(client, project.project)
    published = client.publish_deployment(project.project, body)
    if not published["current"]:
        published = client.activate_deployment(project.project, published["id"])
    return published | {"changes": _changes(old, new)}


def _current_workflows(client: Client, project: str) -> dict[str, dict[str, Any]]:
    """What the target has now, by slug; nothing where it does not know the project yet."""
    if project not in [each["slug"] for each in client.list_projects()]:
        return {}
    return {each["slug"]: each for each in client.list_workflows(project)}


def _changes(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Slugs by what became of them; where a definition stands in its file is no change of it."""
    both = sorted(old.keys() & new.keys())
    return {
        "new": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": [slug for slug in both if _differ(old[slug], new[slug])],
    }


def _differ(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return any(old.get(name) != value for name, value in new.items() if name != "source")
