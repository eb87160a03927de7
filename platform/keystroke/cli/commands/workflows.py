"""`keystroke workflows`: the definitions of a project; starting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from keystroke.cli.groups import LazyGroup
from keystroke.cli.inputs import read_future_moment, read_json, read_tags
from keystroke.cli.options import project_option, remote_options, slug_argument
from keystroke.cli.session import session_of
from keystroke.cli.target import find_project
from keystroke.errors import KeystrokeError

if TYPE_CHECKING:
    from keystroke.client import Client


@click.group(cls=LazyGroup, lazy={"runs": "keystroke.cli.commands.runs:runs"})
def workflows() -> None:
    """Workflows of a project, and their runs."""


@workflows.command("list")
@project_option
@remote_options
@click.pass_context
def list_workflows(context: click.Context) -> None:
    """List the project's workflows."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        session.show(client.list_workflows(find_project(session.project, target, client)), kind="workflows")


@workflows.command("get")
@slug_argument
@project_option
@remote_options
@click.pass_context
def get_workflow(context: click.Context, slug: str) -> None:
    """Show one workflow with the schemas of its input and output."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        session.show(
            client.get_workflow(find_project(session.project, target, client), slug), kind="workflow"
        )


@workflows.command("run")
@slug_argument
@click.option("--input", "input_text", metavar="JSON|@FILE|-", help="The input: JSON, @file, or - for stdin.")
@click.option("--wait", is_flag=True, help="Wait for the end, and end with its outcome.")
@click.option("--follow", is_flag=True, help="The same, with the run's logs on stderr meanwhile.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag of the run; may be repeated.")
@click.option("--idempotency-key", metavar="KEY", help="The same key starts the same run once only.")
@click.option(
    "--priority", type=click.IntRange(-10, 10), help="Higher runs earlier; else the workflow's own."
)
@click.option("--run-at", metavar="2h|TIME", help="Start so long from now, or at this time.")
@project_option
@remote_options
@click.pass_context
def run_workflow(
    context: click.Context, /, slug: str, input_text: str | None, wait: bool, follow: bool, tags: tuple[str, ...],
    run_at: str | None, **options: Any,
) -> int:  # fmt: skip
    """Start a run and print it; with --wait or --follow, its outcome."""
    session = session_of(context)
    options |= {"tags": read_tags(tags), "run_at": read_future_moment("--run-at", run_at)}
    input = read_json(input_text)
    target = session.find_target()
    with session.connect(target) as client:
        project = find_project(session.project, target, client)
        run_id = str(client.start_run(project, slug, input, **options)["run_id"])
        try:
            if follow:
                _print_logs(client, run_id)
            run = _outcome(client, run_id) if wait or follow else client.get_run(run_id)
        except KeystrokeError:
            click.echo(f"{run_id} was started; what became of it is not known:", err=True)
            raise
    session.show(run, kind="run")
    return 1 if (wait or follow) and run["status"] != "success" else 0


def _print_logs(client: Client, run_id: str) -> None:
    from keystroke.cli.following import follow, log_line

    for event in follow(client, run_id):
        if event.name == "log":
            click.echo(log_line(event.data), err=True)


def _outcome(client: Client, run_id: str) -> dict[str, Any]:
    from keystroke.cli.waiting import wait_for_run

    return wait_for_run(client, run_id)
