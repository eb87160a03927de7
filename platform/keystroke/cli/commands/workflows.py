"""`keystroke workflows`: the definitions of a project; starting them."""

from __future__ import annotations

from typing import Any

import click

from keystroke.cli.groups import LazyGroup
from keystroke.cli.inputs import read_future_moment, read_json, read_tags
from keystroke.cli.options import project_option, remote_options, slug_argument
from keystroke.cli.session import session_of
from keystroke.cli.started import follow_option, show_started, wait_option
from keystroke.cli.target import find_project


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
@wait_option
@follow_option
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
        return show_started(session, client, run_id, wait=wait, follow=follow)
