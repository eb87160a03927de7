"""`keystroke deliveries`: what was posted to webhooks, and taking it anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from keystroke.cli.commands.runs import cursor_option, limit_option, since_option
from keystroke.cli.inputs import read_moment
from keystroke.cli.options import Decorated, project_option, remote_options
from keystroke.cli.session import session_of

_OUTCOMES: Final = ("fired", "filtered", "duplicate", "rejected", "unrouted", "error")
#: Deliveries that one request replays: an answer comes well before a client would give up.
_AT_ONCE: Final = 100


def _filter_options(command: Decorated) -> Decorated:
    """The filters of the API; values of one are alternatives."""
    options: list[Callable[[Decorated], Decorated]] = [
        click.option("--until", metavar="2h|TIME", help="Received until then."),
        since_option,
        click.option(
            "--outcome",
            multiple=True,
            type=click.Choice(_OUTCOMES),
            help="What became of it. May be repeated.",
        ),
        click.option("--endpoint", multiple=True, help="Where it was posted. May be repeated."),
        click.option("--trigger", multiple=True, help="Slug of a webhook. May be repeated."),
    ]
    for option in options:
        command = option(command)
    return command


@click.group()
def deliveries() -> None:
    """What was posted to webhooks."""


@deliveries.command("list")
@_filter_options
@limit_option
@cursor_option
@project_option
@remote_options
@click.pass_context
def list_deliveries(context: click.Context, /, limit: int, cursor: str | None, **given: Any) -> None:
    """List deliveries, newest first. Different filters all have to hold."""
    session = session_of(context)
    filters = _filters(session.project, given)
    with session.connect() as client:
        session.show(client.list_deliveries(filters, limit=limit, cursor=cursor), kind="deliveries")


@deliveries.command("get")
@click.argument("delivery_id", metavar="DELIVERY")
@remote_options
@click.pass_context
def get_delivery(context: click.Context, delivery_id: str) -> None:
    """Show a delivery with its headers and body."""
    session = session_of(context)
    with session.connect() as client:
        session.show(client.get_delivery(delivery_id), kind="delivery")


@deliveries.command("replay")
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY]...")
@_filter_options
@click.option("--dry-run", is_flag=True, help="Only say which would be replayed.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=_AT_ONCE, show_default=True, help="At most so many."
)
@project_option
@remote_options
@click.pass_context
def replay(
    context: click.Context, /, delivery_ids: tuple[str, ...], dry_run: bool, limit: int, **given: Any
) -> int:
    """Take deliveries anew, by the webhooks as they are now: those named, or the oldest that fit the filters."""
    session = session_of(context)
    filters = _filters(session.project, given)
    if bool(delivery_ids) is bool(set(filters) - {"project"}):
        raise click.UsageError("name deliveries, or say by filters which, such as --outcome unrouted")
    with session.connect() as client:
        if not delivery_ids:
            answer = client.replay_deliveries(filters, dry_run=dry_run, limit=limit)
        elif dry_run:
            answer = {"dry_run": True, "data": [_would(client.get_delivery(each)) for each in delivery_ids]}
        else:
            answer = {"dry_run": False, "data": [client.replay_delivery(each) for each in delivery_ids]}
        session.show(answer, kind="replayed")
    return int(any("problem" in each for each in answer["data"]))


def _would(delivery: dict[str, Any]) -> dict[str, Any]:
    return {"replay_of": delivery["id"], "outcome": delivery["outcome"]}


def _filters(project: str | None, given: dict[str, Any]) -> dict[str, Any]:
    moments = {name: read_moment(f"--{name}", given[name]) for name in ("since", "until")}
    named = {"project": (project,)} if project else {}
    found = {**given, **moments, **named}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value
    }
