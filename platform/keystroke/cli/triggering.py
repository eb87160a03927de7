"""What the commands about triggers share: the trigger that is meant, and waiting for what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from keystroke.cli.options import completing
from keystroke.cli.retrying import PATIENCE, passes_by_itself
from keystroke.cli.session import session_of
from keystroke.cli.target import find_project
from keystroke.errors import RequestRefused, ServerUnreachable

if TYPE_CHECKING:
    from keystroke.client import Client
    from keystroke.client.triggers import Triggers

Answer = dict[str, Any]
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5


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


def wait_until(look: Callable[[], Answer], is_over: Callable[[Answer], bool]) -> Answer:
    """What `look` gives once it is over; a server that is away for a while is waited for."""
    pause, answered = _FIRST_PAUSE, time.monotonic()
    while True:
        try:
            found = look()
        except (ServerUnreachable, RequestRefused) as error:
            if not passes_by_itself(error) or time.monotonic() - answered > PATIENCE:
                raise
        else:
            answered = time.monotonic()
            if is_over(found):
                return found
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)
