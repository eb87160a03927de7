"""What a supervisor asks worker and beat, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from keystroke.errors import InvalidSettings
from keystroke.telemetry.health import HealthServer, silence


class Process:
    """Something that is ready or not."""

    why: str | None = None


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def url(process: Process) -> Iterator[str]:
    server = HealthServer("127.0.0.1:0", lambda: process.why)
    server.start()
    with closing(server):
        yield f"http://127.0.0.1:{server.port}"


def test_alive_and_ready(url: str) -> None:
    for path in ("/healthz", "/readyz"):
        answer = httpx.get(url + path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_alive_but_not_ready_says_why(url: str, process: Process) -> None:
    process.why = "no heartbeat for 40 s"
    assert httpx.get(url + "/healthz").status_code == 200
    answer = httpx.get(url + "/readyz")
    assert (answer.status_code, answer.json()["why"]) == (503, "no heartbeat for 40 s")


def test_anything_else_is_not_found(url: str) -> None:
    assert httpx.get(url + "/").status_code == 404


@pytest.mark.parametrize("listen", ["", "localhost", "localhost:http", "127.0.0.1:99999999"])
def test_an_impossible_address_is_named(listen: str) -> None:
    with pytest.raises(InvalidSettings, match="KEYSTROKE_HEALTH_LISTEN"):
        HealthServer(listen, lambda: None)


def test_silence_is_unready_once_it_is_too_long() -> None:
    assert silence(time.monotonic, 10, "round")() is None
    assert silence(lambda: time.monotonic() - 40, 10, "round")() == "no round has succeeded for 40 s"
