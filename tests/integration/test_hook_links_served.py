"""Links of hooks at the real server: nothing of what it writes tells a token, whatever it is sent."""

from __future__ import annotations

import socket
from dataclasses import replace

import httpx
import pytest

from keystroke.domain.states import Status
from keystroke.local.ports import free_port
from keystroke.operations.api_keys import create_api_key
from keystroke.settings import Settings
from keystroke.store import Database
from support.api import NO_BROKER
from support.hooks import YES, Question, waiting
from support.processes import Processes
from support.starts import GREET, Stage, make_stage
from support.waiting import wait_until


@pytest.fixture
def stage(sqlite_database: Database, sqlite_settings: Settings) -> Stage:
    """A published project."""
    return make_stage(sqlite_database, sqlite_settings, GREET)


def raw(port: int, text: str) -> bytes:
    """Send bytes that no client sends, and read the answer to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def requests(port: int, question: Question) -> list[bytes]:
    """Requests of all kinds to the link, each broken in its own way."""
    path = question.path
    end = "Host: x\r\nConnection: close\r\n"
    return [
        raw(port, f"GET {path} HTTP/9.9\r\n{end}\r\n"),
        raw(port, f"GET {path} nonsense\r\n\r\n"),
        raw(port, f"GE T {path} HTTP/1.1\r\n{end}\r\n"),
        raw(port, f"GET {path}{'x' * 9_000} HTTP/1.1\r\n{end}\r\n"),
        raw(port, f"POST {path} HTTP/1.1\r\n{end}Content-Length: x\r\n\r\n"),
        raw(
            port,
            f"POST {path} HTTP/1.1\r\n{end}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
        ),
        raw(port, f"GET {path}%00%ff HTTP/1.1\r\n{end}\r\n"),
        raw(port, f"GET //hooks//{question.token} HTTP/1.1\r\n{end}Referer: http://x{path}\r\n\r\n"),
        raw(
            port,
            f"GET /api/v1/runs?q={question.token} HTTP/1.1\r\n{end}X-Request-Id: {question.token}\r\n\r\n",
        ),
    ]


def test_the_servers_own_log_tells_no_token(stage: Stage, processes: Processes) -> None:
    question, port = waiting(stage), free_port(0)
    create_api_key(stage.database, "default", "of somebody", "admin", None, None)
    listening = replace(
        stage.settings, listen=f"127.0.0.1:{port}", broker_url=NO_BROKER, log_level="debug", log_format="json",
        public_url="https://keystroke.example.com",
    )  # fmt: skip
    api = processes.keystroke("api", settings=listening)
    api.wait_for("api_listening", 60)
    for answered in requests(port, question):
        assert answered.startswith(b"HTTP/1.1 4"), answered[:300]
        assert b"Traceback" not in answered
    url = f"http://127.0.0.1:{port}{question.path}"
    outside = {"Host": "keystroke.example.com", "Origin": "https://mail.example.com"}
    assert httpx.get(url, headers=outside).status_code == 200
    assert httpx.post(url, json={}, headers=outside).status_code == 422
    assert httpx.post(url, json=YES, headers=outside).status_code == 200, (
        "no key is needed where there are keys"
    )
    assert httpx.post(url, json=YES).status_code == 409
    assert stage.run(question.run_id).status is Status.QUEUED
    wait_until(lambda: "hook_was_answered" in api.output, what="the answer is told")
    assert question.token[:20] not in api.output
    assert "/hooks/" not in api.output, "links stay out of the log altogether"
