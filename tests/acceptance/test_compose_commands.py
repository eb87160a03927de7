"""The commands of compose.yaml, run without a container engine: in its order, with its variables, until its checks pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from keystroke.settings import Settings
from support.fleet import free_ports
from support.ledger import open_ledger
from support.processes import Processes, Started
from support.servers import PostgreSQL
from support.sources import ROOT
from support.waiting import wait_until

_SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))[
    "services"
]


class Compose:
    """Starts services as compose would: each in a network of its own, hence here with ports of its own."""

    def __init__(self, processes: Processes, place: Mapping[str, str], directory: Path) -> None:
        """`place` are the variables that say where database and broker are."""
        self._processes = processes
        self._place = place
        self._directory = directory
        self._ports: dict[str, tuple[int, int]] = {}

    def run(self, name: str, *command: str) -> str:
        """`docker compose run --rm NAME COMMAND`: what it says."""
        started = self._start(name, command or tuple(_SERVICES[name]["command"]))
        assert started.wait() == 0, started.output
        return started.output

    def up(self, name: str) -> Started:
        """Start a service and wait until its health check passes."""
        started = self._start(name, tuple(_SERVICES[name]["command"]))
        wait_until(lambda: self._is_healthy(name, started), 60, what=f"{name} is healthy")
        return started

    def url(self, name: str) -> str:
        """Where a service's API is."""
        return f"http://127.0.0.1:{self._ports[name][0]}"

    def _start(self, name: str, command: tuple[str, ...]) -> Started:
        api_port, health_port = free_ports(2)
        self._ports[name] = (api_port, health_port)
        variables = _SERVICES[name]["environment"] | self._place
        variables |= {
            "KEYSTROKE_LISTEN": f"0.0.0.0:{api_port}",
            "KEYSTROKE_HEALTH_LISTEN": f"127.0.0.1:{health_port}",
        }
        return self._processes.keystroke(*command, variables=variables, directory=self._directory)

    def _is_healthy(self, name: str, started: Started) -> bool:
        assert started.process.poll() is None, started.output
        _, _, option, code = _SERVICES[name]["healthcheck"]["test"]
        for port, ours in zip(("3002", "3003"), self._ports[name], strict=True):
            code = code.replace(f"127.0.0.1:{port}", f"127.0.0.1:{ours}")
        return (
            subprocess.run([sys.executable, option, code], capture_output=True, check=False).returncode == 0
        )


def test_the_fleet_comes_up_in_order_and_runs_a_workflow(
    own_postgresql: PostgreSQL, broker_url: str, processes: Processes, tmp_path: Path
) -> None:
    ledger = open_ledger(tmp_path)
    place = {
        "KEYSTROKE_DATABASE_URL": own_postgresql.url(),
        "KEYSTROKE_BROKER_URL": broker_url,
        "KEYSTROKE_SECRET_KEY": "a secret",
        "KEYSTROKE_PUBLIC_URL": "https://keystroke.example",
        **ledger.variables,
    }
    compose = Compose(processes, place, ledger.project)
    compose.run("migrate")
    key = compose.run(
        "migrate", "api-keys", "create", "me", "--role", "admin", "--organization", "acme", "--field", "key"
    )
    fleet = [compose.up(name) for name in ("worker", "beat", "api")]

    client = httpx.Client(base_url=compose.url("api"), headers={"Authorization": f"Bearer {_key_in(key)}"})
    with client:
        runs = "/api/v1/projects/shop/workflows/order/runs"
        answer = client.post(runs, json={"input": {"number": 1}}, headers={"Prefer": "wait=30"}, timeout=40)
        assert (answer.status_code, answer.json()["status"]) == (200, "success"), answer.text
        assert httpx.post(compose.url("api") + runs, json={"input": {"number": 1}}).status_code == 401
    assert [process.stop() for process in fleet] == [0, 0, 0]


def test_beyond_this_machine_the_api_wants_a_key_first(
    sqlite_settings: Settings, broker_url: str, processes: Processes, tmp_path: Path
) -> None:
    place = {
        "KEYSTROKE_DATABASE_URL": sqlite_settings.database_url,
        "KEYSTROKE_BROKER_URL": broker_url,
        "KEYSTROKE_PUBLIC_URL": "https://keystroke.example",
    }
    compose = Compose(processes, place, tmp_path)
    refused = compose._start("api", ("api",))
    assert refused.wait() == 2
    assert "key" in refused.output


def _key_in(output: str) -> str:
    """The key among the lines that the command said."""
    return next(word for word in output.replace('"', " ").split() if word.startswith("ks_"))
