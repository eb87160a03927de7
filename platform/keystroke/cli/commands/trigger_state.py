"""`keystroke triggers state`: what a poll goes on from."""

from __future__ import annotations

import click

from keystroke.cli.inputs import read_json
from keystroke.cli.options import project_option, remote_options
from keystroke.cli.session import session_of
from keystroke.cli.triggering import trigger_argument, triggers_of


@click.group()
def state() -> None:
    """What a poll goes on from."""


@state.command("get")
@trigger_argument
@project_option
@remote_options
@click.pass_context
def get_state(context: click.Context, slug: str) -> None:
    """Show the state of a poll with its version, and the schema that it has to fit."""
    with triggers_of(context) as (_, found):
        session_of(context).show(found.get_state(slug), kind="state")


@state.command("set")
@trigger_argument
@click.option(
    "--input", "input_text", metavar="JSON|@FILE|-", required=True, help="The state; null: none, so that it begins anew."
)  # fmt: skip
@click.option(
    "--version", metavar="VERSION", help="Only in place of this one; else of whatever is there by now."
)
@project_option
@remote_options
@click.pass_context
def set_state(context: click.Context, slug: str, input_text: str, version: str | None) -> None:
    """Have a poll go on from another state. Of a tick that is under way nothing counts then."""
    wanted = read_json(input_text)
    with triggers_of(context) as (_, found):
        session_of(context).show(found.set_state(slug, wanted, version), kind="state")
