"""`keystroke notifications`: what the installation has told the outside, or tries to."""

from __future__ import annotations

from typing import Final

import click

from keystroke.cli.options import project_option, remote_options
from keystroke.cli.session import session_of

_STATUSES: Final = ("pending", "sent", "failed")


@click.group()
def notifications() -> None:
    """What was told to the address in KEYSTROKE_NOTIFY_URL."""


@notifications.command("list")
@click.option(
    "--status", type=click.Choice(_STATUSES), multiple=True, help="Those that are so. May be repeated."
)
@click.option(
    "--type", "types", multiple=True, help="Those of this type, such as schedule.late. May be repeated."
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many."
)
@click.option("--cursor", help="Go on after this cursor of an earlier list.")
@project_option
@remote_options
@click.pass_context
def list_notifications(
    context: click.Context, status: tuple[str, ...], types: tuple[str, ...], limit: int, cursor: str | None
) -> None:
    """List notifications, newest first, and how sending them went."""
    session = session_of(context)
    filters = {"status": status, "type": types, "project": (session.project,) if session.project else ()}
    given = {name: values for name, values in filters.items() if values}
    with session.connect() as client:
        session.show(client.list_notifications(given, limit=limit, cursor=cursor), kind="notifications")
