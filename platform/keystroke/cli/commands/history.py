"""`keystroke history`: runs across workflows and projects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from keystroke.cli.commands.runs import (
    cursor_option,
    include_option,
    limit_option,
    since_option,
    status_option,
)
from keystroke.cli.inputs import read_moment
from keystroke.cli.options import Decorated, remote_options, run_argument
from keystroke.cli.session import session_of

#: Filters that may be repeated: their values are alternatives.
_SEVERAL: Final = {
    "kind": "Kind of run: workflow.",
    "project": "Slug of a project.",
    "workflow": "Slug of a workflow.",
    "trigger": "Trigger type (api, cli, webhook, schedule, poll, workflow_tool, replay) or attachment id.",
    "actor": "Who started it: id of a user, key, trigger or workflow.",
    "model": "Model that it used.",
    "service": "Service that it used.",
    "tag": "Tag, as key=value.",
    "deployment": "Version of the code.",
    "error": "Fingerprint of the error.",
    "parent": "Run that started it.",
}
_BOUNDS: Final = {
    "min-cost": "Cost at least, such as 0.50.",
    "max-cost": "Cost at most.",
    "min-duration": "Duration at least: milliseconds, or 2s, 1h30m.",
    "max-duration": "Duration at most.",
    "min-steps": "Steps at least.",
    "max-steps": "Steps at most.",
}


def _filter_options(command: Decorated) -> Decorated:
    """Every filter of the API, in kebab case."""
    options: list[Callable[[Decorated], Decorated]] = [
        click.option("--q", metavar="TEXT", help="A run id or its beginning, else words of name, trigger, tags, error."),
        click.option("--until", metavar="2h|TIME", help="Created until then."),
        *(click.option(f"--{name}", help=help) for name, help in reversed(_BOUNDS.items())),
        *(click.option(f"--{name}", multiple=True, help=f"{help} May be repeated.") for name, help in reversed(_SEVERAL.items())),
    ]  # fmt: skip
    for option in options:
        command = option(command)
    return command


@click.group()
def history() -> None:
    """Runs of all workflows and projects."""


@history.command("list")
@status_option
@_filter_options
@since_option
@limit_option
@cursor_option
@remote_options
@click.pass_context
def list_history(context: click.Context, /, limit: int, cursor: str | None, **given: Any) -> None:
    """List runs, newest first. Different filters all have to hold."""
    session = session_of(context)
    moments = {name: read_moment(f"--{name}", given[name]) for name in ("since", "until")}
    filters = {name: value for name, value in {**given, **moments}.items() if value not in (None, ())}
    with session.connect() as client:
        session.show(client.list_runs(filters, limit=limit, cursor=cursor), kind="runs")


@history.command("get")
@run_argument
@include_option
@remote_options
@click.pass_context
def get_history(context: click.Context, run_id: str, include: list[str]) -> None:
    """Show one run; the beginning of its id is enough."""
    session = session_of(context)
    with session.connect() as client:
        session.show(client.get_run(client.find_run_id(run_id), include=include), kind="run")
