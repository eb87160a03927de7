"""A fleet of real processes on one database and one broker, started over HTTP as its users do."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.processes import Processes, Started
from support.waiting import wait_until

_ENDED = Sql(
    "select status, count(*) as runs from runs where status in ('success', 'failed', 'canceled') group by status"
)


@dataclass
class Fleet:
    """The processes by kind, and the addresses of the APIs."""

    apis: list[Started]
    workers: list[Started]
    beats: list[Started]
    urls: list[str]
    settings: Settings

    def __iter__(self) -> Iterator[Started]:
        """All of its processes, those that take work first."""
        return iter([*self.workers, *self.beats, *self.apis])

    def start_run(self, client: httpx.Client, url: str, project: str, workflow: str, payload: Any) -> str:
        """Start a run over HTTP; its id. It has to be accepted."""
        answer = client.post(
            f"{url}/api/v1/projects/{project}/workflows/{workflow}/runs", json={"input": payload}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    def wait_for_ends(self, count: int, timeout: float) -> dict[str, int]:
        """Wait until so many runs have ended; how many by status."""
        with closing(Database.from_settings(self.settings, pool_size=1)) as database:

            def ended() -> dict[str, int] | None:
                with database.read() as tx:
                    counts = {row.status: row.runs for row in tx.rows(_ENDED)}
                return counts if sum(counts.values()) >= count else None

            return wait_until(ended, timeout, what=f"{count} runs have ended") or {}


def start_fleet(
    processes: Processes,
    settings: Settings,
    project: Path,
    *,
    apis: int,
    workers: int,
    beats: int,
    variables: Mapping[str, str] | None = None,
) -> Fleet:
    """Start so many of each and return when all of them are ready."""
    ports = free_ports(apis)
    fleet = Fleet(
        apis=[
            processes.keystroke("api", settings=replace(settings, listen=f"127.0.0.1:{port}"))
            for port in ports
        ],
        workers=[
            processes.keystroke("worker", "--project", str(project), settings=settings, variables=variables)
            for _ in range(workers)
        ],
        beats=[processes.keystroke("beat", settings=settings) for _ in range(beats)],
        urls=[f"http://127.0.0.1:{port}" for port in ports],
        settings=settings,
    )
    for worker in fleet.workers:
        worker.wait_for("worker_registered", 60)
    for beat in fleet.beats:
        beat.wait_for("beat_started", 60)
    for api, url in zip(fleet.apis, fleet.urls, strict=True):
        api.wait_for("api_listening", 60)
        wait_until(partial(_is_ready, api, url), 30, what=f"{url} is ready")
    return fleet


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _is_ready(api: Started, url: str) -> bool:
    assert api.process.poll() is None, f"the API ended; it said:\n{api.output}"
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
