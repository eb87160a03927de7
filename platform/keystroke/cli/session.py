"""What one invocation of the command line knows: which server, which form of output, whether to show tracebacks."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from keystroke.cli.target import Target
    from keystroke.client import Client


@dataclass(slots=True)
class Session:
    """The options that any command may carry; `output` is json, yaml, table or, left open, fitting for stdout."""

    target: str | None = None
    project: str | None = None
    output: str | None = None
    field: str | None = None
    summary: bool = False
    debug: bool = False

    def find_target(self) -> Target:
        """The server to ask: NoTarget, NoProfile, InvalidTarget."""
        from keystroke.cli.target import find_target

        return find_target(self.target or os.environ.get("KEYSTROKE_TARGET"), Path.cwd())

    def connect(self, target: Target | None = None) -> Client:
        """A client of the target, with the key of KEYSTROKE_API_KEY."""
        from keystroke.client import Client

        found = target or self.find_target()
        return Client(found.url, os.environ.get("KEYSTROKE_API_KEY") or None, name="cli")

    def form(self) -> str:
        """table, json or yaml: what was asked for, else what fits stdout."""
        return self.output or ("table" if sys.stdout.isatty() else "json")

    def show(self, value: object, *, kind: str) -> None:
        """Print the answer in the form that was asked for; `kind` names its table (see `tables`)."""
        from keystroke.cli.output import show

        show(value, kind=kind, session=self)


def session_of(context: click.Context) -> Session:
    """The session of the running invocation."""
    session = context.find_object(Session)
    if session is None:  # only main() makes contexts, and it always gives one
        raise RuntimeError("the command line was started without a session")
    return session
