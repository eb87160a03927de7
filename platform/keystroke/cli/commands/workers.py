"""`keystroke workers`: who executes runs; draining one."""

from __future__ import annotations

import click

from keystroke.cli.options import remote_options
from keystroke.cli.session import session_of


@click.group()
def workers() -> None:
    """Workers of all projects."""


@workers.command("list")
@click.option("--all", "everyone", is_flag=True, help="Also those that have ended lately.")
@remote_options
@click.pass_context
def list_workers(context: click.Context, everyone: bool) -> None:
    """List the workers that are there."""
    session = session_of(context)
    with session.connect() as client:
        listed = client.list_workers()
        shown = [each for each in listed if everyone or each["state"] in ("alive", "draining")]
        session.show(shown, kind="workers")


@workers.command()
@click.argument("worker_id", metavar="ID")
@remote_options
@click.pass_context
def drain(context: click.Context, worker_id: str) -> None:
    """Let a worker finish what it runs, take nothing new, and end."""
    session = session_of(context)
    with session.connect() as client:
        session.show(client.drain_worker(worker_id), kind="worker")
