"""A run that a command has started: printed at once, or when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keystroke.cli.session import Session
from keystroke.domain.states import Status
from keystroke.errors import KeystrokeError

if TYPE_CHECKING:
    from keystroke.client import Client

wait_option = click.option("--wait", is_flag=True, help="Wait for the end, and end with its outcome.")
follow_option = click.option(
    "--follow", is_flag=True, help="The same, with the run's logs on stderr meanwhile."
)


def show_started(session: Session, client: Client, run_id: str, *, wait: bool, follow: bool) -> int:
    """Print the run, with `wait` or `follow` when it has ended; the exit code."""
    from keystroke.cli.waiting import wait_for_run

    try:
        if follow:
            _print_logs(client, run_id)
        run = wait_for_run(client, run_id) if wait or follow else client.get_run(run_id)
    except KeystrokeError:
        click.echo(f"{run_id} was started; what became of it is not known:", err=True)
        raise
    session.show(run, kind="run")
    return 1 if (wait or follow) and run["status"] != Status.SUCCESS else 0


def _print_logs(client: Client, run_id: str) -> None:
    from keystroke.cli.following import follow, log_line

    for event in follow(client, run_id):
        if event.name == "log":
            click.echo(log_line(event.data), err=True)
