"""What the commands about triggers share: the trigger that is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from keystroke.cli.options import completing
from keystroke.cli.session import session_of
from keystroke.cli.target import find_project

if TYPE_CHECKING:
    from keystroke.client import Client
    from keystroke.client.triggers import Triggers


def _slugs(client: Client, project: str) -> list[str]:
    return [str(each["slug"]) for each in client.triggers(project).list()]


trigger_argument = click.argument("slug", metavar="TRIGGER", shell_complete=completing(_slugs))


@contextmanager
def triggers_of(context: click.Context) -> Iterator[tuple[Client, Triggers]]:
    """A client, and the triggers of the project that is meant."""
    session = session_of(context)
    target = session.find_target()
    with session.connect(target) as client:
        yield client, client.triggers(find_project(session.project, target, client))
