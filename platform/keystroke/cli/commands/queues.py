"""`keystroke queues`: what waits in them; pausing and resuming one."""

from __future__ import annotations

import click

from keystroke.cli.options import project_option, remote_options
from keystroke.cli.session import session_of
from keystroke.cli.target import find_project

_name_argument = click.argument("name", metavar="QUEUE")


@click.group()
def queues() -> None:
    """Queues of a project."""


@queues.command("list")
@project_option
@remote_options
@click.pass_context
def list_queues(context: click.Context) -> None:
    """List the queues, how many runs wait in each, and for how long."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        session.show(client.list_queues(find_project(session.project, target, client)), kind="queues")


@queues.command()
@_name_argument
@project_option
@remote_options
@click.pass_context
def pause(context: click.Context, name: str) -> None:
    """Start no more runs of a queue; those that run go on."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        session.show(client.pause_queue(find_project(session.project, target, client), name), kind="queue")


@queues.command()
@_name_argument
@project_option
@remote_options
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Start the runs of a queue again."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        session.show(client.resume_queue(find_project(session.project, target, client), name), kind="queue")
