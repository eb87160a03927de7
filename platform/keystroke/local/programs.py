"""What `keystroke dev` starts, and the configuration it starts it with."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from typing import Final

from keystroke.client.workspace import Workspace
from keystroke.local.broker import Broker
from keystroke.local.supervised import Program

#: Where a developer waits, waiting is shorter than in production; whoever sets these otherwise has it so.
_QUICK: Final = {
    "KEYSTROKE_DRAIN_GRACE": "2",
    "KEYSTROKE_HEARTBEAT": "1",
    "KEYSTROKE_DEAD_AFTER": "5",
    "KEYSTROKE_LOG_FORMAT": "console",
}
#: Seconds after SIGTERM, beyond those that the program itself allows for.
_MARGIN: Final = 6.0


def dev_environment(
    workspace: Workspace, broker: Broker, port: int, environ: Mapping[str, str]
) -> dict[str, str]:
    """The environment of all programs: the embedded parts, whatever the surrounding one says of them."""
    url = f"http://127.0.0.1:{port}"
    embedded = {
        "KEYSTROKE_DATABASE_URL": workspace.database_url,
        "KEYSTROKE_SQLITE_SYNCHRONOUS": "NORMAL",
        "KEYSTROKE_BROKER_URL": broker.url,
        "KEYSTROKE_SECRET_KEY": secret_key(workspace),
        "KEYSTROKE_LISTEN": f"127.0.0.1:{port}",
        "KEYSTROKE_PUBLIC_URL": url,
        "PYTHONUNBUFFERED": "1",
    }
    return {**_QUICK, **environ, **embedded}


def secret_key(workspace: Workspace) -> str:
    """The key of this project's secrets: made once, readable by this user alone."""
    path = workspace.state / "secret-key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        key = secrets.token_urlsafe(32)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def broker_program(broker: Broker, workspace: Workspace, environ: Mapping[str, str]) -> Program | None:
    """The server, where it is ours to run."""
    if broker.command is None:
        return None
    return Program("broker", broker.command, environ, workspace.state, grace=_MARGIN)


def component_programs(workspace: Workspace, environment: Mapping[str, str]) -> list[Program]:
    """API, worker and beat, by the commands that an operator uses too."""
    directory = workspace.project_directory
    drain = float(environment["KEYSTROKE_DRAIN_GRACE"])
    # The API's server process ends its own children on SIGTERM; killed, it would leave them for a while.
    return [
        Program("api", _command("api"), environment, directory, grace=_MARGIN, orphan_signal="SIGTERM"),
        Program(
            "worker", _command("worker", "--project", str(directory)), environment, directory,
            grace=drain + _MARGIN, waits_for_change=True,
        ),
        Program("beat", _command("beat"), environment, directory, grace=_MARGIN),
    ]  # fmt: skip


def _command(*arguments: str) -> tuple[str, ...]:
    # -P: a file of the project must not take the place of a module of the library.
    return (sys.executable, "-P", "-m", "keystroke.cli", *arguments)
