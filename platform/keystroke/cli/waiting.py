"""Waiting for a run's end, with its progress on stderr where a person looks on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from keystroke.cli.printable import printable
from keystroke.cli.retrying import Answer, wait_until
from keystroke.client import Client
from keystroke.domain.states import Status


class Show(Protocol):
    """Where the state of the run is shown while it is waited for."""

    def __call__(self, run: dict[str, Any]) -> None:
        """Show this state."""


def wait_for_run(client: Client, run_id: str) -> dict[str, Any]:
    """The run once it has ended. Ctrl-C ends the waiting, not the run."""
    try:
        with _progress_bar(run_id) as show:
            run = _poll(client, run_id, show)
    except KeyboardInterrupt:
        click.echo(f"stopped waiting; {run_id} goes on (`keystroke history get {run_id}`)", err=True)
        raise
    tell_ending(run)
    return run


def tell_ending(run: dict[str, Any]) -> None:
    """Say on stderr why a run that has ended was no success."""
    if run["status"] != Status.SUCCESS:
        click.echo(_ending(run), err=True)


def _poll(client: Client, run_id: str, show: Show) -> Answer:
    def is_over(run: Answer) -> bool:
        show(run)
        return Status(run["status"]).terminal

    return wait_until(lambda: client.get_run(run_id), is_over)


def _ending(run: dict[str, Any]) -> str:
    error = run.get("error") or {}
    why = f": {error.get('type')}: {error.get('message')}" if error else ""
    return printable(f"error: {run['id']} ended {run['status']}{why}")


@contextmanager
def _progress_bar(run_id: str) -> Iterator[Show]:
    """A bar on stderr when that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda run: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(run_id, total=None)

        def show(run: dict[str, Any]) -> None:
            told = run.get("progress") or {}
            message = told.get("message") or str(run["status"]).replace("_", " ")
            fraction = told.get("fraction")
            total = None if fraction is None else 1.0
            bar.update(task, description=f"{run_id} {message}", total=total, completed=fraction or 0.0)

        yield show
