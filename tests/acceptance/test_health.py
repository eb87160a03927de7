"""Worker and beat tell a supervisor whether they can work: ready with the database, unready without it, alive always."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.migrate import upgrade
from support.fleet import free_ports
from support.ledger import open_ledger
from support.processes import Processes
from support.servers import PostgreSQL
from support.waiting import wait_until


@pytest.mark.parametrize("kind", ["worker", "beat"])
def test_readiness_follows_the_database(
    kind: str, own_postgresql: PostgreSQL, broker_url: str, processes: Processes, tmp_path: Path
) -> None:
    [port] = free_ports(1)
    settings = Settings(
        database_url=own_postgresql.url(), broker_url=broker_url, secret_key=("secret",), heartbeat=0.5,
        health_listen=f"127.0.0.1:{port}",
    )  # fmt: skip
    _migrate(settings)
    ledger = open_ledger(tmp_path)
    started = processes.keystroke(
        kind, settings=settings, directory=ledger.project, variables=ledger.variables
    )
    url = f"http://127.0.0.1:{port}"
    started.wait_for("worker_registered|beat_started")
    wait_until(partial(_answers, url, 200), 30, what="ready")

    own_postgresql.stop(signal.SIGQUIT)
    wait_until(partial(_answers, url, 503), 40, what="unready without the database")
    assert httpx.get(f"{url}/healthz").status_code == 200

    own_postgresql.start()
    wait_until(partial(_answers, url, 200), 40, what="ready again")
    assert started.stop() == 0


def test_an_address_that_cannot_be_had_is_named(
    sqlite_settings: Settings, broker_url: str, processes: Processes
) -> None:
    settings = replace(sqlite_settings, broker_url=broker_url, health_listen="256.0.0.1:1")
    started = processes.keystroke("beat", settings=settings)
    assert started.wait() == 2
    assert "KEYSTROKE_HEALTH_LISTEN" in started.output


def _migrate(settings: Settings) -> None:
    database = Database.from_settings(settings)
    upgrade(database)
    database.close()


def _answers(url: str, status: int) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == status
    except httpx.TransportError:
        return False
