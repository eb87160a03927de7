"""`keystroke triggers backfill`: firing a schedule for times that have passed."""

from __future__ import annotations

import click

from keystroke.cli.inputs import read_moment
from keystroke.cli.options import project_option, remote_options
from keystroke.cli.retrying import wait_until
from keystroke.cli.session import session_of
from keystroke.cli.triggering import trigger_argument, triggers_of


@click.command("backfill")
@trigger_argument
@click.option("--from", "first", metavar="3d|TIME", help="From this time on.")
@click.option("--to", "end", metavar="1d|TIME", default="0s", show_default="now", help="And before this one.")
@click.option("--dry-run", is_flag=True, help="Only say what would be fired for.")
@click.option("--reprocess", is_flag=True, help="Fire also for times that were fired for already.")
@click.option("--wait", is_flag=True, help="Wait until it has fired for all of them; not for the runs.")
@click.option("--cancel", "canceled", metavar="BACKFILL", help="Stop this one, instead of making one.")
@project_option
@remote_options
@click.pass_context
def backfill(
    context: click.Context, slug: str, first: str | None, end: str, dry_run: bool, reprocess: bool, wait: bool,
    canceled: str | None,
) -> int:  # fmt: skip
    """Fire a schedule for the times of a range for which it has not fired, and print the backfill.

    Its runs come after all others that wait. Exit code 1 where it does not come to its end (--wait).
    """
    session = session_of(context)
    if (first is None) == (canceled is None):
        raise click.UsageError("say from when on: --from 2026-11-01, or --from 7d")
    with triggers_of(context) as (_, found):
        if canceled is not None:
            session.show(found.cancel_backfill(canceled), kind="backfill")
            return 0
        wanted = {
            "from": read_moment("--from", first), "to": read_moment("--to", end), "dry_run": dry_run,
            "reprocess": reprocess,
        }  # fmt: skip
        made = found.backfill(slug, wanted)
        if wait and not dry_run:
            backfill_id = made["id"]
            made = wait_until(
                lambda: found.get_backfill(backfill_id), lambda seen: seen["status"] != "running"
            )
    session.show(made, kind="backfill")
    return 1 if made.get("status") in ("failed", "canceled") else 0
