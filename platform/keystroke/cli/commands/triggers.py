"""`keystroke triggers`: webhooks, schedules and polls of a project, and what operators set on them."""

from __future__ import annotations

from typing import Any, Final

import click

from keystroke.cli.groups import LazyGroup
from keystroke.cli.inputs import read_future_moment
from keystroke.cli.options import project_option, remote_options
from keystroke.cli.refusals import NoAddress
from keystroke.cli.session import session_of
from keystroke.cli.triggering import trigger_argument, triggers_of

_KINDS: Final = ("webhook", "schedule", "poll")
_COMMANDS: Final = "keystroke.cli.commands"


@click.group(
    cls=LazyGroup,
    lazy={
        "invoke": f"{_COMMANDS}.trigger_firing:invoke",
        "dry-run": f"{_COMMANDS}.trigger_firing:dry_run",
        "backfill": f"{_COMMANDS}.trigger_backfills:backfill",
        "state": f"{_COMMANDS}.trigger_state:state",
        "runs": f"{_COMMANDS}.trigger_runs:runs",
    },
)
def triggers() -> None:
    """Webhooks, schedules and polls of a project."""


@triggers.command("list")
@click.option("--kind", multiple=True, type=click.Choice(_KINDS), help="May be repeated.")
@click.option("--workflow", metavar="SLUG", help="Those that start this workflow.")
@click.option("--retired", is_flag=True, help="Also those that the code has no longer.")
@project_option
@remote_options
@click.pass_context
def list_triggers(context: click.Context, kind: tuple[str, ...], workflow: str | None, retired: bool) -> None:
    """List the triggers: how they are doing, when they fire next."""
    filters: dict[str, Any] = {"kind": kind} | ({"retired": "true"} if retired else {})
    filters |= {"workflow": workflow} if workflow else {}
    with triggers_of(context) as (_, found):
        session_of(context).show(found.list(filters), kind="triggers")


@triggers.command("get")
@trigger_argument
@project_option
@remote_options
@click.pass_context
def get_trigger(context: click.Context, slug: str) -> None:
    """Show one trigger: its options, what is attached, how it is doing."""
    with triggers_of(context) as (_, found):
        session_of(context).show(found.get(slug), kind="trigger")


@triggers.command("url")
@trigger_argument
@project_option
@remote_options
@click.pass_context
def show_url(context: click.Context, slug: str) -> None:
    """Print the address that a webhook is posted to; on stderr how its sender signs."""
    session = session_of(context)
    with triggers_of(context) as (_, found):
        trigger = found.get(slug)
    if trigger["url"] is None:
        raise NoAddress(slug=slug, kind=trigger["kind"])
    if session.output or session.field:
        session.show({"url": trigger["url"], "signing": trigger["signing"]}, kind="url")
        return
    click.echo(trigger["url"])
    click.echo(trigger["signing"]["how"], err=True)


@triggers.command("preview")
@trigger_argument
@click.option("--count", type=click.IntRange(1, 100), default=10, show_default=True, help="So many of them.")
@project_option
@remote_options
@click.pass_context
def preview(context: click.Context, slug: str, count: int) -> None:
    """Show when a schedule or a poll fires next."""
    with triggers_of(context) as (_, found):
        session_of(context).show(found.preview(slug, count), kind="times")


@triggers.command("enable")
@trigger_argument
@click.option("--workflow", metavar="SLUG", help="Only the attachment of this workflow.")
@project_option
@remote_options
@click.pass_context
def enable(context: click.Context, slug: str, workflow: str | None) -> None:
    """Let a trigger start something again, from now on: it makes up for nothing."""
    _switch(context, slug, workflow, disabled=False)


@triggers.command("disable")
@trigger_argument
@click.option("--workflow", metavar="SLUG", help="Only the attachment of this workflow.")
@project_option
@remote_options
@click.pass_context
def disable(context: click.Context, slug: str, workflow: str | None) -> None:
    """Let a trigger start nothing until it is enabled, across deploys."""
    _switch(context, slug, workflow, disabled=True)


@triggers.command("pause")
@trigger_argument
@click.option("--until", metavar="TIME", help="Until this time.")
@click.option("--for", "duration", metavar="2h", help="For so long.")
@project_option
@remote_options
@click.pass_context
def pause(context: click.Context, slug: str, until: str | None, duration: str | None) -> None:
    """Let a trigger rest for a while; then it goes on by itself."""
    if (until is None) == (duration is None):
        raise click.UsageError("say until when: --until 2026-12-01T08:00, or --for 2h")
    moment = (
        read_future_moment("--until", until) if duration is None else read_future_moment("--for", duration)
    )
    _set(context, slug, {"paused_until": moment})


@triggers.command("resume")
@trigger_argument
@project_option
@remote_options
@click.pass_context
def resume(context: click.Context, slug: str) -> None:
    """End a pause: the trigger goes on from now, and makes up for nothing."""
    _set(context, slug, {"paused_until": None})


def _switch(context: click.Context, slug: str, workflow: str | None, *, disabled: bool) -> None:
    switched = {"disabled": disabled}
    _set(context, slug, switched if workflow is None else {"attachments": {workflow: switched}})


def _set(context: click.Context, slug: str, changes: dict[str, Any]) -> None:
    with triggers_of(context) as (_, found):
        session_of(context).show(found.set(slug, changes), kind="trigger")
