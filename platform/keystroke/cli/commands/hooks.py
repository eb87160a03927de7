"""`keystroke hooks`: what runs wait for from somebody outside, and answering it."""

from __future__ import annotations

from typing import Final

import click

from keystroke.cli.inputs import read_json
from keystroke.cli.options import remote_options
from keystroke.cli.session import session_of

_STATUSES: Final = ("waiting", "answered", "expired", "ended", "all")


@click.group()
def hooks() -> None:
    """Answers that runs wait for."""


@hooks.command("list")
@click.option(
    "--status", type=click.Choice(_STATUSES), default="waiting", show_default=True, help="Those that are so."
)
@click.option("--run", "run_id", metavar="RUN", help="Of this run; the beginning of its id is enough.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many."
)
@click.option("--cursor", help="Go on after this cursor of an earlier list.")
@remote_options
@click.pass_context
def list_hooks(
    context: click.Context, status: str, run_id: str | None, limit: int, cursor: str | None
) -> None:
    """List hooks, newest first; their links are known to the runs alone."""
    session = session_of(context)
    with session.connect() as client:
        filters = {} if status == "all" else {"status": status}
        if run_id is not None:
            filters["run"] = client.find_run_id(run_id)
        session.show(client.list_hooks(filters, limit=limit, cursor=cursor), kind="hooks")


@hooks.command("resume")
@click.argument("hook", metavar="ID|TOKEN|URL")
@click.option(
    "--input",
    "input_text",
    metavar="JSON|@FILE|-",
    required=True,
    help="The answer: JSON, @file, or - for stdin.",
)
@remote_options
@click.pass_context
def resume(context: click.Context, hook: str, input_text: str) -> None:
    """Answer a hook, and its run goes on. A URL is answered where it leads, whatever the target; it needs no key."""
    from keystroke.client.links import answer_link, is_link

    session = session_of(context)
    answer = read_json(input_text)
    if is_link(hook):
        session.show(answer_link(hook, answer), kind="hook")
        return
    with session.connect() as client:
        session.show(client.answer_hook(hook, answer), kind="hook")
