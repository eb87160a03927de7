"""`keystroke triggers invoke` and `dry-run`: firing by hand, and what would come of it."""

from __future__ import annotations

from typing import Any, Final

import click

from keystroke.cli.inputs import read_json
from keystroke.cli.options import Decorated, project_option, remote_options
from keystroke.cli.printable import printable
from keystroke.cli.retrying import Answer, wait_until
from keystroke.cli.session import session_of
from keystroke.cli.triggering import trigger_argument, triggers_of
from keystroke.domain.states import Status

#: Seconds that a dry run waits for the tick of a poll: less than the client waits for its answer.
_TICK_SECONDS: Final = 25


def _firing_options(command: Decorated) -> Decorated:
    for option in (
        click.option("--workflow", metavar="SLUG", help="Start this one alone, also where it is disabled."),
        click.option(
            "--input", "input_text", metavar="JSON|@FILE|-",
            help="The payload: of a webhook, or of a schedule in place of its own.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("invoke")
@trigger_argument
@_firing_options
@click.option("--wait", is_flag=True, help="Wait for the runs that it starts, and end with their outcome.")
@project_option
@remote_options
@click.pass_context
def invoke(
    context: click.Context, slug: str, input_text: str | None, workflow: str | None, wait: bool
) -> int:
    """Fire a trigger by hand, disabled or paused as it may be, and print the delivery or the tick.

    A poll is executed by a worker, which is waited for with --wait.
    """
    from keystroke.cli.waiting import wait_for_run

    session, ended = session_of(context), list[Answer]()
    with triggers_of(context) as (client, found):
        event = found.invoke(slug, _firing(input_text, workflow))
        if wait:
            event_id = event["id"]
            event = wait_until(lambda: found.get_event(slug, event_id), lambda seen: bool(seen["outcome"]))
            ended = [wait_for_run(client, run_id) for run_id in event["run_ids"]]
    session.show(event, kind="event")
    failed = any(run["status"] != Status.SUCCESS for run in ended)
    return 1 if failed or _has_failed(event) else 0


@click.command("dry-run")
@trigger_argument
@_firing_options
@project_option
@remote_options
@click.pass_context
def dry_run(context: click.Context, slug: str, input_text: str | None, workflow: str | None) -> int:
    """Show what firing a trigger would start, without starting anything. Exit code 1 where something does not fit.

    A poll is executed by a worker; its state is left alone.
    """
    session = session_of(context)
    with triggers_of(context) as (_, found):
        tried = found.dry_run(slug, _firing(input_text, workflow), _TICK_SECONDS)
    session.show(tried, kind="dry_run")
    event = tried["event"]
    if event is not None and event["outcome"] is None:
        click.echo(f"the tick is under way: keystroke triggers runs get {slug} {event['id']}", err=True)
        return 1
    wrong = tried["errors"] or any(each["errors"] for each in tried["would_start"])
    return 1 if wrong or (event is not None and _has_failed(event)) else 0


def _has_failed(event: Answer) -> bool:
    """Whether a tick has failed; why is said on stderr."""
    if event["outcome"] != "error":
        return False
    error = event["error"]
    told = f"{error.get('type')}: {error.get('message')}" if isinstance(error, dict) else str(error)
    click.echo(printable(f"error: {event['id']} has failed: {told}"), err=True)
    return True


def _firing(input_text: str | None, workflow: str | None) -> dict[str, Any]:
    payload = {} if input_text is None else {"payload": read_json(input_text)}
    return payload | ({} if workflow is None else {"workflow": workflow})
