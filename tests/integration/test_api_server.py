"""The API as a process: how it starts, refuses to start, ends, and what it does with large and slow senders."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from keystroke.operations.api_keys import create_api_key
from keystroke.settings import Settings
from keystroke.store import Database
from support.api import NO_BROKER, RUNS
from support.processes import Processes, Started
from support.starts import GREET, Stage, publish
from support.waiting import wait_until

START = {"input": {"name": "Ada"}}


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(processes: Processes, settings: Settings) -> Started:
    """Start the API and return when it answers."""
    started = processes.keystroke("api", settings=settings)
    wait_until(lambda: answers(settings.listen), 30, what=f"the API answers: {started.output}")
    return started


def answers(listen: str) -> bool:
    """Whether `/healthz` is there."""
    try:
        return httpx.get(f"http://{listen}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def listening(stage: Stage) -> Settings:
    """Settings of the stage with a free port and no broker."""
    return replace(stage.settings, listen=f"127.0.0.1:{free_port()}", broker_url=NO_BROKER, log_level="debug")


@pytest.fixture(scope="module")
def api_at(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of an API that the tests below share: none of them may do it any harm."""
    directory = tmp_path_factory.mktemp("served")
    shutil.copyfile(migrated_sqlite, directory / "keystroke.db")
    settings = Settings(
        database_url=f"sqlite:///{directory}/keystroke.db", broker_url=NO_BROKER, secret_key=("a secret for tests",),
        listen=f"127.0.0.1:{free_port()}", api_threads=3, streams=1, project="demo",
    )  # fmt: skip
    database = Database.from_settings(settings)
    publish(database, GREET)
    database.close()
    processes = Processes(directory)
    started = serve(processes, settings)
    yield settings.listen
    assert started.stop() == 0
    assert "Traceback" not in started.output
    processes.close()


def test_it_serves_and_ends_at_once(processes: Processes, listening: Settings) -> None:
    started = serve(processes, listening)
    with httpx.Client(base_url=f"http://{listening.listen}") as client:
        run_id = client.post(RUNS, json=START).json()["run_id"]
        assert client.get(f"/api/v1/runs/{run_id}").json()["status"] == "queued"
        assert client.get("/readyz").json() == {"status": "degraded", "database": "ok", "broker": "degraded"}
    began = time.monotonic()
    assert started.stop() == 0
    assert time.monotonic() - began < 5
    assert "POST" in started.output
    assert "Traceback" not in started.output
    assert "cannot be listened on" not in started.output


def test_several_processes_serve(processes: Processes, listening: Settings) -> None:
    started = serve(processes, replace(listening, api_processes=2))
    wait_until(lambda: len(started.children()) == 2)
    for _ in range(10):
        assert httpx.post(f"http://{listening.listen}{RUNS}", json=START).status_code == 202
    assert started.stop() == 0


def test_waits_end_with_the_process(processes: Processes, listening: Settings) -> None:
    started = serve(processes, listening)
    waiting = open_request(listening.listen, RUNS, json.dumps(START).encode(), "Prefer: wait=60")
    wait_until(lambda: len(httpx.get(f"http://{listening.listen}/api/v1/runs").json()["data"]) == 1)
    began = time.monotonic()
    assert started.stop() == 0
    assert time.monotonic() - began < 6
    assert read_answer(waiting).startswith("HTTP/1.1 202")


def test_beyond_loopback_it_wants_a_key_first(
    processes: Processes, stage: Stage, listening: Settings
) -> None:
    beyond = replace(listening, listen=f"0.0.0.0:{free_port()}")
    refused = processes.keystroke("api", settings=beyond)
    assert refused.wait() == 2
    assert "api-keys create" in refused.output
    key = create_api_key(stage.database, "default", "ops", "viewer", None, None).key
    serve(processes, beyond)
    url = f"http://{beyond.listen}/api/v1/runs"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"x-api-key": key}).status_code == 200


def test_what_is_missing_is_named_at_once(processes: Processes) -> None:
    refused = processes.keystroke("api", settings=Settings())
    assert refused.wait() == 2
    for name in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY"):
        assert f"KEYSTROKE_{name}" in refused.output
    assert "Traceback" not in refused.output


def test_a_database_without_the_schema_is_named(
    processes: Processes, sqlite_settings: Settings, tmp_path: Path
) -> None:
    empty = replace(sqlite_settings, database_url=f"sqlite:///{tmp_path}/empty.db", broker_url=NO_BROKER)
    refused = processes.keystroke("api", settings=empty)
    assert refused.wait() == 2
    assert "keystroke db upgrade" in refused.output


# --- Large and slow -----------------------------------------------------------------------------------------------


def open_request(
    listen: str, path: str, body: bytes, *headers: str, length: int | None = None
) -> socket.socket:
    """Send a POST by hand; `length` may promise more than is sent."""
    host, port = listen.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=30)
    lines = [
        f"POST {path} HTTP/1.1", f"Host: {listen}", "Content-Type: application/json",
        *([] if any(header.startswith("Transfer") for header in headers) else [f"Content-Length: {length or len(body)}"]),
        *headers,
    ]  # fmt: skip
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


def read_answer(connection: socket.socket) -> str:
    """The head and body of an answer, as far as its Content-Length goes."""
    with closing(connection), connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        return head + "\n" + stream.read(length).decode()


def test_100_mb_are_refused_unread(api_at: str) -> None:
    before = memory_of_all()
    answer = read_answer(open_request(api_at, RUNS, b"{", length=100_000_000))
    assert answer.startswith("HTTP/1.1 413")
    assert "urn:keystroke:problem:body-too-large" in answer
    assert memory_of_all() - before < 20_000_000


def test_100_mb_sent_by_an_ordinary_client_are_refused(api_at: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000_000

    for headers in ({"Content-Length": "100000000"}, {}):
        try:
            answer = httpx.post(
                f"http://{api_at}{RUNS}",
                content=pieces(),
                headers={**headers, "Content-Type": "application/json"},
            )
        except (httpx.WriteError, httpx.ReadError):
            continue  # the server has closed the connection while the client was still sending
        assert answer.status_code == 413
    assert answers(api_at)


def test_chunks_without_end_are_refused(api_at: str) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = read_answer(open_request(api_at, RUNS, chunk * 20, "Transfer-Encoding: chunked"))
    assert answer.startswith("HTTP/1.1 413")


@pytest.mark.parametrize("body", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}no end", b"0\r\nbad trailer\r\n\r\n"])
def test_chunks_that_are_none_are_refused(api_at: str, body: bytes) -> None:
    answer = read_answer(open_request(api_at, RUNS, body, "Transfer-Encoding: chunked"))
    assert answer.startswith("HTTP/1.1 400 ")
    assert "problem:broken-chunks" in answer


def test_slow_senders_are_turned_away_and_hold_nobody_up(api_at: str) -> None:
    slow = [open_request(api_at, RUNS, b'{"input":', length=50) for _ in range(6)]
    began = time.monotonic()
    found = [read_answer(connection) for connection in slow]
    assert all(answer.startswith("HTTP/1.1 408") and "problem:body-too-slow" in answer for answer in found)
    assert time.monotonic() - began < 30
    assert httpx.post(f"http://{api_at}{RUNS}", json=START).status_code == 202


def test_a_sender_that_goes_away_leaves_nothing(api_at: str) -> None:
    before = httpx.get(f"http://{api_at}/api/v1/runs").json()
    open_request(api_at, RUNS, b'{"input": {"name": "Ada"}}', length=500).close()
    assert httpx.get(f"http://{api_at}/api/v1/runs").json() == before


def test_forwarded_schemes_of_this_machine_do_not_count(api_at: str) -> None:
    answer = httpx.post(
        f"http://{api_at}{RUNS}", json=START, headers={"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}
    )
    assert answer.json()["url"].startswith(f"http://{api_at}/")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /healthz HTTP/9.9\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nA: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /workflows/greet HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 400),
        (b"POST /w HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_a_problem_too(api_at: str, sent: bytes, status: int) -> None:
    host, port = api_at.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(sent)
    answer = read_answer(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "application/problem+json" in answer
    assert json.loads(answer.rpartition("\n")[2])["status"] == status


def memory_of_all() -> int:
    """Bytes of memory that the children of the tests use."""
    return sum(process.memory_info().rss for process in psutil.Process().children(recursive=True))


def test_an_address_that_is_taken_is_told_by_name(processes: Processes, listening: Settings) -> None:
    host, _, port = listening.listen.rpartition(":")
    with socket.create_server((host, int(port))):
        refused = processes.keystroke("api", settings=listening)
        wait_until(lambda: refused.process.poll() is not None, 30, what=f"the API ends: {refused.output}")
    assert refused.process.returncode == 1
    assert f"{listening.listen} cannot be listened on" in refused.output
    assert "The API listens" not in refused.output
