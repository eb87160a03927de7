"""`keystroke triggers runs`: the deliveries or ticks of a trigger."""

from __future__ import annotations

import click

from keystroke.cli.commands.runs import cursor_option, limit_option
from keystroke.cli.options import project_option, remote_options
from keystroke.cli.session import session_of
from keystroke.cli.triggering import trigger_argument, triggers_of
from keystroke.domain.source import OUTCOMES


@click.group()
def runs() -> None:
    """Deliveries or ticks of a trigger."""


@runs.command("list")
@trigger_argument
@click.option("--outcome", multiple=True, type=click.Choice(OUTCOMES), help="May be repeated.")
@limit_option
@cursor_option
@project_option
@remote_options
@click.pass_context
def list_runs(
    context: click.Context, slug: str, outcome: tuple[str, ...], limit: int, cursor: str | None
) -> None:
    """List what happened at a trigger, newest first: what it came to, and the runs that it started."""
    with triggers_of(context) as (_, found):
        page = found.list_events(slug, outcome, limit=limit, cursor=cursor)
    session_of(context).show(page, kind="events")


@runs.command("get")
@trigger_argument
@click.argument("event", metavar="ID")
@project_option
@remote_options
@click.pass_context
def get_run(context: click.Context, slug: str, event: str) -> None:
    """Show one delivery or tick: what it came to, its error, what a poll has found and logged."""
    with triggers_of(context) as (_, found):
        session_of(context).show(found.get_event(slug, event), kind="event")


@runs.command("cancel")
@trigger_argument
@click.argument("event", metavar="ID")
@project_option
@remote_options
@click.pass_context
def cancel_run(context: click.Context, slug: str, event: str) -> None:
    """Cancel a tick of a poll that is under way: nothing of it counts."""
    with triggers_of(context) as (_, found):
        session_of(context).show(found.cancel_event(slug, event), kind="event")
