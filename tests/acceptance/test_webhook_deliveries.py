"""Senders that post until they are answered, while processes of the API are killed: each event is one run, and no more.

`KEYSTROKE_TEST_DELIVERIES=10000` makes it the full proof.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from keystroke.authoring.project import load_project
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.api import NO_BROKER
from support.fleet import free_ports
from support.posting import SECRET, WORKFLOWS, signature
from support.processes import Processes, Started
from support.projects import write_project
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(900)

#: Posts, of which a third repeat an earlier one.
POSTS: Final = int(os.environ.get("KEYSTROKE_TEST_DELIVERIES", "300"))
EVENTS: Final = POSTS * 2 // 3
CLIENTS: Final = 8
#: Times that a process of the API is killed; in the middle all of them are.
KILLS: Final = 3 if POSTS < 1_000 else 15
_FIRED = Sql("select id, dedupe_key, run_ids from deliveries where outcome = 'fired'")
_OTHERS = Sql("select dedupe_key, outcome, duplicate_of, run_ids from deliveries where outcome <> 'fired'")
_RUNS = Sql("select id, trigger_id from runs")
_INPUTS = Sql("select run_id, body from run_payloads where name = 'input'")


@dataclass
class Senders:
    """Eight that post; `answers` are those that they had, by the number of the event."""

    url: str
    answers: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    lost: int = 0
    failed: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def answered(self) -> int:
        """How many posts were answered."""
        return sum(map(len, self.answers.values()))

    def send(self, numbers: list[int]) -> None:
        """Post each, again and again until it is answered."""
        try:
            with httpx.Client(timeout=30) as client:
                for number in numbers:
                    self._note(number, self._until_answered(client, number))
        except BaseException:
            with self.changed:
                self.failed = True
                self.changed.notify_all()
            raise

    def wait_for(self, answered: int) -> None:
        """Until so many posts were answered, or somebody has failed, whose error is raised at the end."""
        with self.changed:
            enough = self.changed.wait_for(lambda: self.failed or self.answered >= answered, 600)
        assert enough, f"{self.answered} were answered"

    def _note(self, number: int, answer: dict[str, Any]) -> None:
        with self.changed:
            self.answers.setdefault(number, []).append(answer)
            self.changed.notify_all()

    def _until_answered(self, client: httpx.Client, number: int) -> dict[str, Any]:
        body = json.dumps({"name": f"number {number}"}).encode()
        headers = {"X-Signature": signature(body), "Idempotency-Key": f"event-{number}"}
        pause = threading.Event()
        while True:
            try:
                answer = client.post(self.url, content=body, headers=headers)
            except httpx.TransportError:
                self.lost += 1
                pause.wait(0.02)
                continue
            assert answer.status_code in (200, 202), answer.text
            found: dict[str, Any] = answer.json()
            return found


@pytest.fixture
def served(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Settings, Database]]:
    """A published webhook, and settings of an API of two processes."""
    write_project(tmp_path / "project", {"triggers/all.py": WORKFLOWS + 'signed("signup").attach(greet)\n'})
    settings = replace(
        settings, project="shop", organization="acme", broker_url=NO_BROKER, api_processes=2, api_threads=8,
        listen=f"127.0.0.1:{free_ports(1)[0]}",
    )  # fmt: skip
    database = Database.from_settings(settings)
    publish_deployment(database, load_project(tmp_path / "project").manifest)
    yield settings, database
    database.close()


def test_what_was_acknowledged_is_there_once_whoever_dies(
    served: tuple[Settings, Database], processes: Processes
) -> None:
    settings, database = served
    senders = Senders(f"http://{settings.listen}/triggers/shop/signup")
    with ThreadPoolExecutor(CLIENTS) as executor:
        api = _serve(processes, settings)
        sending = [executor.submit(senders.send, part) for part in _shares()]
        for kill in range(1, KILLS + 1):
            senders.wait_for(POSTS * kill // (KILLS + 1))
            api = _kill(processes, settings, api, everybody=kill == KILLS // 2 + 1)
        for each in sending:
            each.result()
    duplicates = _assert_each_event_is_one_run(database, senders)
    assert senders.lost > 0, "nobody noticed the deaths"
    print(
        f"{POSTS} posts of {EVENTS} events, {senders.lost} unanswered, {duplicates} duplicates, {KILLS} kills"
    )


def _shares() -> list[list[int]]:
    """What each client posts, in an order of its own: two may post the same event at once."""
    chosen = random.Random(7)
    numbers = [*range(EVENTS), *chosen.sample(range(EVENTS), POSTS - EVENTS)]
    chosen.shuffle(numbers)
    return [numbers[at::CLIENTS] for at in range(CLIENTS)]


def _serve(processes: Processes, settings: Settings) -> Started:
    started = processes.keystroke("api", settings=settings, variables={"SENDER": SECRET})
    wait_until(lambda: _answers(settings.listen), 60, what=f"the API answers: {started.output}")
    return started


def _answers(listen: str) -> bool:
    try:
        return httpx.get(f"http://{listen}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _kill(processes: Processes, settings: Settings, api: Started, *, everybody: bool) -> Started:
    """Kill one of the processes that serve, which is replaced by itself; or all, in whose place new ones are started."""
    if everybody:
        api.kill_group()
        return _serve(processes, settings)
    children: list[psutil.Process] = wait_until(
        lambda: api.children() if len(api.children()) == 2 else [], 60
    )
    children[0].send_signal(signal.SIGKILL)
    return api


def _assert_each_event_is_one_run(database: Database, senders: Senders) -> int:
    """How many duplicates are on record."""
    with database.read() as tx:
        fired, others, runs = tx.rows(_FIRED), tx.rows(_OTHERS), tx.rows(_RUNS)
        inputs = {row.run_id: json.loads(row.body)["name"] for row in tx.rows(_INPUTS)}
    first = {row.dedupe_key: row for row in fired}
    assert len(first) == len(fired) == len(runs) == len(senders.answers) == EVENTS
    assert {row.trigger_id: [row.id] for row in runs} == {row.id: json.loads(row.run_ids) for row in fired}
    for row in others:
        holder = first[row.dedupe_key]
        assert (row.outcome, row.duplicate_of, row.run_ids) == ("duplicate", holder.id, holder.run_ids)
    for number, answers in senders.answers.items():
        holder = first[f"event-{number}"]
        named = {(each["delivery_id"], each["run_id"]) for each in answers}
        assert named == {(holder.id, _run_of(inputs, holder, number))}
    assert senders.answered == POSTS
    assert len(others) >= POSTS - EVENTS, "what was acknowledged is on record, each time"
    return len(others)


def _run_of(inputs: dict[str, str], delivery: Any, number: int) -> str:
    """The run of a delivery, which has the input that was posted."""
    (run_id,) = json.loads(delivery.run_ids)
    assert inputs[run_id] == f"number {number}"
    return str(run_id)
