"""`keystroke workflows runs`: the runs of one workflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from keystroke.cli.inputs import read_json, read_moment
from keystroke.cli.options import project_option, remote_options, run_argument, slug_argument
from keystroke.cli.session import session_of
from keystroke.cli.started import follow_option, show_started, wait_option
from keystroke.cli.target import find_project
from keystroke.domain.states import Status
from keystroke.errors import KeystrokeError, RunNotFound

if TYPE_CHECKING:
    from keystroke.client import Client

PARTS: Final = ("trigger", "steps", "trace", "attempts", "timeline")


def _check_parts(context: click.Context, parameter: click.Parameter, text: str | None) -> list[str]:
    """The parts of `--include`; one that does not exist is wrong usage."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    return [click.Choice(PARTS).convert(part, parameter, context) for part in parts]


include_option = click.option(
    "--include",
    metavar="PARTS",
    callback=_check_parts,
    help=f"Parts to add, comma separated: {', '.join(PARTS)}.",
)
limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many."
)
cursor_option = click.option("--cursor", help="Go on after this cursor of an earlier list.")
status_option = click.option(
    "--status", multiple=True, type=click.Choice([status.value for status in Status]), help="May be repeated."
)
since_option = click.option("--since", metavar="2h|TIME", help="Those since then.")


@click.group()
def runs() -> None:
    """Runs of a workflow."""


@runs.command("list")
@slug_argument
@status_option
@since_option
@limit_option
@cursor_option
@project_option
@remote_options
@click.pass_context
def list_runs(
    context: click.Context,
    slug: str,
    status: tuple[str, ...],
    since: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List runs of a workflow, newest first."""
    session = session_of(context)
    target = session.find_target()
    moment = read_moment("--since", since)
    with session.connect(target) as client:
        project = find_project(session.project, target, client)
        filters = {"project": project, "workflow": slug, "status": status} | (
            {"since": moment} if moment else {}
        )
        page = client.list_runs(filters, limit=limit, cursor=cursor)
        if not page["data"]:
            client.get_workflow(project, slug)  # no runs, or no such workflow: that one is an error
    session.show(page, kind="runs")


@runs.command("get")
@slug_argument
@run_argument
@include_option
@remote_options
@click.pass_context
def get_run(context: click.Context, slug: str, run_id: str, include: list[str]) -> None:
    """Show one run of a workflow; the beginning of its id is enough."""
    session = session_of(context)
    with session.connect() as client:
        run = client.get_run(client.find_run_id(run_id), include=include)
    if run["workflow"] != slug:
        raise RunNotFound(run_id=f"{run_id} of {slug} (that one belongs to {run['workflow']})")
    session.show(run, kind="run")


@runs.command("watch")
@run_argument
@remote_options
@click.pass_context
def watch_run(context: click.Context, run_id: str) -> int:
    """Follow a run until it has ended: statuses, steps, progress, logs. The exit code tells its outcome.

    Lines on a terminal, JSON lines when piped.
    """
    from keystroke.cli.following import event_line, follow
    from keystroke.cli.waiting import tell_ending

    session = session_of(context)
    as_lines = session.form() == "table"
    with session.connect() as client:
        whole = client.find_run_id(run_id)
        for event in follow(client, whole):
            text = event_line(event) if as_lines else json.dumps({"event": event.name, **event.data})
            if text is not None:
                click.echo(text)
        run = client.get_run(whole)
    tell_ending(run)
    return 0 if run["status"] == Status.SUCCESS else 1


@runs.command("logs")
@run_argument
@click.option(
    "--follow", "following", is_flag=True, help="Go on with the lines to come, until the run has ended."
)
@remote_options
@click.pass_context
def print_logs(context: click.Context, run_id: str, following: bool) -> None:
    """Print the logs of a run: lines on a terminal, JSON lines when piped."""
    from keystroke.cli.following import follow, log_line

    session = session_of(context)
    as_lines = session.form() == "table"
    with session.connect() as client:
        whole = client.find_run_id(run_id)
        events = (event.data for event in follow(client, whole) if event.name == "log")
        for line in events if following else client.list_logs(whole):
            click.echo(log_line(line) if as_lines else json.dumps(line, ensure_ascii=False))


@runs.command("replay")
@run_argument
@click.option(
    "--from-step",
    metavar="STEP",
    help="Copy the steps before this one (charge#0; failed: the first that failed), execute the rest.",
)
@click.option("--input", "input_text", metavar="JSON|@FILE|-", help="Another input; else the same.")
@click.option("--idempotency-key", metavar="KEY", help="The same key starts the same replay once only.")
@wait_option
@follow_option
@remote_options
@click.pass_context
def replay_run(
    context: click.Context, /, run_id: str, input_text: str | None, wait: bool, follow: bool, **options: Any
) -> int:
    """Start a run anew and print the new one; steps copied from the old one keep its results, whatever the input."""
    session = session_of(context)
    if input_text is not None:
        options["input"] = read_json(input_text)
    with session.connect() as client:
        started = client.replay_run(client.find_run_id(run_id), **options)
        return show_started(session, client, str(started["run_id"]), wait=wait, follow=follow)


@runs.command("cancel")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@remote_options
@click.pass_context
def cancel_runs(context: click.Context, run_ids: tuple[str, ...]) -> int:
    """Cancel runs; a running one gets the chance to clean up. Exit code 1 when one of them was not to be canceled."""
    session = session_of(context)
    canceled, refused = [], 0
    with session.connect() as client:
        for run_id in run_ids:
            try:
                canceled.append(_cancel(client, run_id))
            except KeystrokeError as error:
                refused += 1
                told = str(error) if run_id in str(error) else f"{run_id}: {error}"
                click.echo(f"error: {told}", err=True)
    if len(run_ids) > 1:
        session.show(canceled, kind="runs")
    elif canceled:
        session.show(canceled[0], kind="run")
    return 1 if refused else 0


def _cancel(client: Client, prefix: str) -> dict[str, Any]:
    """The run after it was asked to end: canceled, or still running with `cancel_requested_at`."""
    run_id = client.find_run_id(prefix)
    client.cancel_run(run_id)
    return client.get_run(run_id)
