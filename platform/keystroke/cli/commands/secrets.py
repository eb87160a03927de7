"""`keystroke secrets`: what webhooks of a project are verified by. Values go in and are never shown."""

from __future__ import annotations

import sys
from typing import Final

import click

from keystroke.cli.options import debug_option, project_option, remote_options, target_option
from keystroke.cli.session import session_of
from keystroke.cli.target import find_project
from keystroke.domain.durations import parse_duration

_name_argument: Final = click.argument("name")


@click.group()
def secrets() -> None:
    """Secrets of a project, kept encrypted; code names one as operator:NAME."""


@secrets.command("list")
@project_option
@remote_options
@click.pass_context
def list_secrets(context: click.Context) -> None:
    """List the names of secrets and since when they are set; their values are shown nowhere."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        session.show(client.list_secrets(find_project(session.project, target, client)), kind="secrets")


@secrets.command("set")
@_name_argument
@click.option(
    "--value", metavar="TEXT", help="The value; else it is read from stdin, or asked for on a terminal."
)
@click.option(
    "--grace", metavar="DURATION", default="24h", show_default=True,
    help="So long the value before this one stays good, so that the sender can change over; 0: it ends at once.",
)  # fmt: skip
@project_option
@remote_options
@click.pass_context
def set_secret(context: click.Context, name: str, value: str | None, grace: str) -> None:
    """Set a secret, or give it a new value. `--value` stays in your shell's history; stdin does not."""
    session = session_of(context)
    seconds = _seconds(grace)
    given = _ask(name) if value is None else value
    if not given:
        raise click.UsageError("the value is empty")
    target = session.find_target()
    with session.connect(target) as client:
        project = find_project(session.project, target, client)
        session.show(client.put_secret(project, name, given, grace=seconds), kind="secret")


@secrets.command("delete")
@_name_argument
@project_option
@target_option
@debug_option
@click.pass_context
def delete_secret(context: click.Context, name: str) -> None:
    """Delete a secret; what is signed with it is refused from then on."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        client.delete_secret(find_project(session.project, target, client), name)
    click.echo(f"{name} is deleted", err=True)


def _ask(name: str) -> str:
    """What stdin holds, without its last line's end; on a terminal it is asked for, unseen."""
    if sys.stdin.isatty():
        answer: str = click.prompt(f"Value of {name}", hide_input=True, err=True)
        return answer
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")


def _seconds(grace: str) -> int:
    try:
        return round(parse_duration(grace).total_seconds())
    except ValueError as error:
        raise click.UsageError(f"--grace {grace}: write a duration (90s, 2h, 3d)") from error
