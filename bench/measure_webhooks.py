"""How soon a webhook is acknowledged: signature checked, delivery stored, run created, all committed.

The most that 8 clients get through, and the times at half of that; beside it the same for a Flask view with one durable INSERT
behind the same server, in turns (A B A B …). Clients, servers and database share the machine.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from keystroke.domain.manifest import Manifest
from keystroke.domain.source import AttachmentManifest, SourceManifest
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.settings import Settings
from keystroke.store import Database
from support.fleet import free_ports
from support.processes import Processes
from support.starts import GREET, GREETING
from support.waiting import wait_until

_SECONDS = float(os.environ.get("KEYSTROKE_BENCH_SECONDS", "6"))
_TURNS = 3
_SECRET = b"the secret of the measurements."
_SOURCE = SourceManifest(
    "signup", "webhook", "Signup", payload_schema=GREETING, attachments=(AttachmentManifest("greet"),),
    options={
        "endpoint": "signup", "verify": {"scheme": "standard_webhooks", "secret": "env:BENCH_SECRET"}, "match": None,
        "dedupe": None, "rate_limit": None, "respond": None, "challenge": None,
    },
)  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """Requests a second, and the times of the answers in milliseconds."""

    rate: float
    times: list[float]

    def at(self, percent: int) -> float:
        """A percentile of the times."""
        return statistics.quantiles(self.times, n=100)[percent - 1]


def measure_acknowledgement(
    fleet_settings: Settings, database: Database, processes: Processes, tmp_path: Path
) -> None:
    """Print the figures of one database."""
    publish_deployment(
        database, Manifest("default", "demo", "bench", None, {"greet": GREET}, {"signup": _SOURCE})
    )
    with api(fleet_settings, processes) as webhook, bare(fleet_settings, database, tmp_path) as compared:
        most: dict[str, list[float]] = {"webhook": [], "bare": []}
        for url in (webhook, compared):
            load(url, 2, None)
        for _ in range(_TURNS):
            most["webhook"].append(load(webhook, _SECONDS, None).rate)
            most["bare"].append(load(compared, _SECONDS, None).rate)
        medians = {name: statistics.median(rates) for name, rates in most.items()}
        half = load(webhook, _SECONDS, medians["webhook"] / 2)
        half_bare = load(compared, _SECONDS, medians["bare"] / 2)
    print(
        f"\n{database.backend}: at most {medians['webhook']:.0f} webhooks/s, {medians['bare']:.0f} bare inserts/s;",
        end=" ",
    )
    print(f"ratio {medians['webhook'] / medians['bare']:.2f}")
    for name, figures in (("webhooks", half), ("bare inserts", half_bare)):
        print(
            f"  {name} at {figures.rate:.0f}/s: p50 {figures.at(50):.1f} ms, p95 {figures.at(95):.1f} ms,",
            f"p99 {figures.at(99):.1f} ms",
        )


@contextmanager
def api(settings: Settings, processes: Processes) -> Iterator[str]:
    """The API; the address of its webhook."""
    [port] = free_ports(1)
    own = replace(settings, listen=f"127.0.0.1:{port}")
    secret = f"whsec_{base64.b64encode(_SECRET).decode()}"
    started = processes.keystroke("api", settings=own, variables={"BENCH_SECRET": secret})
    started.wait_for("api_listening", 60)
    yield f"http://127.0.0.1:{port}/triggers/demo/signup"


@contextmanager
def bare(settings: Settings, database: Database, tmp_path: Path) -> Iterator[str]:
    """The view that it is compared with; its address."""
    [port] = free_ports(1)
    url = settings.database_url if database.backend == "postgresql" else f"sqlite:///{tmp_path / 'bare.db'}"
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "32",
        "--keep-alive", "60", "--log-level", "error", f"bare_insert:make({url!r})",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=Path(__file__).parent)
    address = f"http://127.0.0.1:{port}/bare"
    try:
        wait_until(partial(_answers, address), 30, what="the bare view answers")
        yield address
    finally:
        process.terminate()
        process.wait()


def load(url: str, seconds: float, rate: float | None) -> Figures:
    """Post with 8 clients in a process of their own: as fast as they get answers, or so many a second altogether."""
    command = [sys.executable, "post_webhooks.py", url, str(seconds), str(rate or 0), _SECRET.hex()]
    ran = subprocess.run(command, cwd=Path(__file__).parent, check=True, capture_output=True, text=True)
    times = json.loads(ran.stdout)
    return Figures(len(times) / seconds, times)


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 404
    except OSError:
        return False
    finally:
        connection.close()
