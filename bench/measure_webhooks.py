"""What a webhook costs (signature, record, run) beside a bare Flask view with one INSERT, both behind gunicorn on PostgreSQL.

Eight clients post as fast as they are answered, in turns to the one and the other (A B A B ...); then at half of the webhook's
rate, for the time that an answer takes. `KEYSTROKE_BENCH_POSTS` (600) is the size of a turn.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from keystroke.authoring.project import load_project
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.api import NO_BROKER
from support.fleet import free_ports
from support.posting import SECRET, WORKFLOWS, signature
from support.processes import Processes
from support.projects import write_project
from support.waiting import wait_until

_POSTS: Final = int(os.environ.get("KEYSTROKE_BENCH_POSTS", "600"))
_TURNS: Final = 5
_CLIENTS: Final = 8
_BODY: Final = json.dumps({"name": "Ada", "email": "ada@example.com"}).encode()
_BARE: Final = """
import os
import uuid

import psycopg
from flask import Flask, request
from sqlalchemy import create_engine

app = Flask("bare")
engine = create_engine(
    os.environ["BARE_DATABASE"], pool_size=20, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)

@app.post("/")
def keep():
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "insert into bare (id, body) values (%(id)s, %(body)s)",
            {"id": str(uuid.uuid4()), "body": request.get_data().decode()})
    return {"ok": True}
"""
_number = count()


def measure_webhooks(postgresql_settings: Settings, processes: Processes, tmp_path: Path) -> None:
    """Print the rates and their ratio, and how long an answer takes."""
    webhook, bare = _serve_both(postgresql_settings, processes, tmp_path)
    for url in (webhook, bare):
        _rate(url, _POSTS)
    rates: dict[str, list[float]] = {webhook: [], bare: []}
    for _ in range(_TURNS):
        for url, found in rates.items():
            found.append(_rate(url, _POSTS))
    medians = {url: statistics.median(found) for url, found in rates.items()}
    print(
        f"\nposts a second, median of {_TURNS} turns: {medians[webhook]:.0f} webhook, {medians[bare]:.0f} bare"
    )
    print(f"  ratio {medians[webhook] / medians[bare]:.2f}")
    times = _times_at(webhook, medians[webhook] / 2)
    high = statistics.quantiles(times, n=100)
    print(f"  at half of it, ms: median {statistics.median(times):.1f}, 99th percentile {high[-1]:.1f}")


def _serve_both(settings: Settings, processes: Processes, folder: Path) -> tuple[str, str]:
    write_project(folder / "project", {"triggers/all.py": WORKFLOWS + 'signed("signup").attach(greet)\n'})
    own, other = free_ports(2)
    settings = replace(
        settings, project="shop", organization="acme", broker_url=NO_BROKER, listen=f"127.0.0.1:{own}"
    )
    database = Database.from_settings(settings)
    publish_deployment(database, load_project(folder / "project").manifest)
    with database.transaction() as tx:
        tx.run(Sql("create table bare (id text primary key, body text not null)"))
    database.close()
    (folder / "bare.py").write_text(_BARE)
    processes.keystroke("api", settings=settings, variables={"SENDER": SECRET})
    processes.start(
        [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{other}", "--threads", "32", "--chdir", str(folder), "bare:app"],
        variables={**os.environ, "BARE_DATABASE": settings.database_url.replace("://", "+psycopg://", 1)},
    )  # fmt: skip
    urls = (f"http://127.0.0.1:{own}/triggers/shop/signup", f"http://127.0.0.1:{other}/")
    for url in urls:
        wait_until(lambda at=url: _answers(at), 60, what=f"{url} answers")
    return urls


def _answers(url: str) -> bool:
    try:
        return httpx.post(url, content=_BODY, headers=_headers()).is_success
    except httpx.TransportError:
        return False


def _headers() -> dict[str, str]:
    return {"X-Signature": signature(_BODY), "Idempotency-Key": f"post-{next(_number)}"}


def _rate(url: str, posts: int) -> float:
    """Posts a second of eight clients that post as fast as they are answered."""

    def send(_client: int) -> None:
        with httpx.Client() as client:
            for _ in range(posts // _CLIENTS):
                assert client.post(url, content=_BODY, headers=_headers()).is_success

    began = time.perf_counter()
    with ThreadPoolExecutor(_CLIENTS) as executor:
        list(executor.map(send, range(_CLIENTS)))
    return posts / (time.perf_counter() - began)


def _times_at(url: str, rate: float) -> list[float]:
    """Milliseconds that answers take where eight clients together post at a rate."""
    pace, times, pause = _CLIENTS / rate, [], threading.Event()

    def send(number: int) -> None:
        with httpx.Client() as client:
            due = time.perf_counter() + pace * number / _CLIENTS
            for _ in range(_POSTS // _CLIENTS):
                pause.wait(max(due - time.perf_counter(), 0))
                began = time.perf_counter()
                assert client.post(url, content=_BODY, headers=_headers()).is_success
                times.append((time.perf_counter() - began) * 1000)
                due += pace

    with ThreadPoolExecutor(_CLIENTS) as executor:
        list(executor.map(send, range(_CLIENTS)))
    return times
