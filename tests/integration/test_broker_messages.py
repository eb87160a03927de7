"""Wake-ups and cancels against a real Valkey: coalesced, never waiting, and back by themselves after an outage."""

from __future__ import annotations

import json
import logging
import os
import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from keystroke.broker.celery_app import WORK, queue_name
from keystroke.broker.control import Control, ControlListener
from keystroke.broker.publisher import Publisher
from keystroke.broker.redis_client import redis_url
from keystroke.broker.wakeups import Wakeups
from keystroke.settings import Settings
from support.servers import Valkey
from support.waiting import wait_until

PROJECT = "prj_one"


@pytest.fixture
def broker_settings(broker_url: str) -> Settings:
    return Settings(broker_url=broker_url, key_prefix="mine")


@pytest.fixture
def wakeups(broker_settings: Settings) -> Iterator[Wakeups]:
    wakeups = Wakeups(broker_settings)
    yield wakeups
    wakeups.close()


def messages(valkey: Valkey, settings: Settings, name: str = "default") -> list[dict[str, Any]]:
    """The messages that wait in a queue."""
    with valkey.client() as client:
        found: Any = client.lrange(f"mine:{queue_name(settings, PROJECT, name)}", 0, -1)
    return [json.loads(each) for each in found]


def test_a_wake_up_is_one_message_that_says_nothing_but_work(
    valkey_server: Valkey, broker_settings: Settings, wakeups: Wakeups
) -> None:
    for _ in range(50):
        wakeups.wake(PROJECT, "default")
    wakeups.wake(PROJECT, "slow")
    wait_until(lambda: messages(valkey_server, broker_settings, "slow"))
    (message,) = messages(valkey_server, broker_settings)
    assert message["headers"]["task"] == WORK
    with valkey_server.client() as client:
        keys: Any = client.keys("*")
    assert [key for key in keys if not key.startswith(b"mine")] == [], "every key has the prefix"


def test_after_a_claim_has_cleared_the_key_the_next_start_wakes_again(
    valkey_server: Valkey, broker_settings: Settings, wakeups: Wakeups
) -> None:
    wakeups.wake(PROJECT, "default")
    wait_until(lambda: len(messages(valkey_server, broker_settings)) == 1)
    wakeups.clear(PROJECT, ("default", "slow"))
    wakeups.wake(PROJECT, "default")
    wait_until(lambda: len(messages(valkey_server, broker_settings)) == 2)


def test_without_redis_nothing_waits_and_after_its_return_it_wakes_again(
    valkey_server: Valkey, broker_settings: Settings, wakeups: Wakeups, caplog: pytest.LogCaptureFixture
) -> None:
    wakeups.wake(PROJECT, "default")
    wait_until(lambda: messages(valkey_server, broker_settings))
    caplog.set_level(logging.INFO, "keystroke")
    valkey_server.stop()
    try:
        began = time.monotonic()
        for number in range(100):
            wakeups.wake(PROJECT, f"queue-{number}")
            wakeups.clear(PROJECT, ("default",))
        assert time.monotonic() - began < 1
        wait_until(lambda: "does not answer" in caplog.text)
    finally:
        valkey_server.start()

    def woken() -> list[dict[str, Any]]:
        wakeups.wake(PROJECT, "after")
        return messages(valkey_server, broker_settings, "after")

    wait_until(woken)
    wait_until(lambda: "answers again" in caplog.text)
    assert caplog.text.count("does not answer") == 1, "an outage is announced once"


def test_a_broker_that_says_nothing_makes_nobody_wait(
    broker_settings: Settings, valkey_server: Valkey
) -> None:
    wakeups = Wakeups(broker_settings)
    with valkey_server.client() as client:
        client.client_pause(3000)
    began = time.monotonic()
    wakeups.wake(PROJECT, "default")
    wakeups.clear(PROJECT, ("default",))
    wakeups.clear(PROJECT, ("default",))
    assert time.monotonic() - began < 1
    with valkey_server.client() as client:
        client.client_unpause()
    wakeups.close()


def test_a_cancel_is_heard_by_the_worker_it_is_for(broker_settings: Settings, valkey_server: Valkey) -> None:
    heard: queue.Queue[tuple[str, int]] = queue.Queue()
    listener = ControlListener(
        broker_settings, lambda: "wrk_one", lambda run, attempt: heard.put((run, attempt))
    )
    listener.start()
    control = Control(broker_settings)
    with valkey_server.client() as client:
        wait_until(lambda: client.pubsub_numsub("mine:cancel")[0][1] == 1)
    control.cancel(None, "run_nobody", 1)
    control.cancel("wrk_two", "run_other", 1)
    control.cancel("wrk_one", "run_mine", 3)
    assert heard.get(timeout=5) == ("run_mine", 3)
    valkey_server.stop()
    valkey_server.start()
    with valkey_server.client() as client:
        wait_until(lambda: client.pubsub_numsub("mine:cancel")[0][1] == 1, what="the listener is back")

    def heard_again() -> bool:
        control.cancel("wrk_one", "run_mine", 4)
        return not heard.empty()

    wait_until(heard_again)
    assert heard.get() == ("run_mine", 4)
    listener.close()
    control.close()


def test_a_publisher_works_in_a_forked_child_too(broker_settings: Settings) -> None:
    publisher, sent = Publisher("test"), queue.Queue[int]()
    publisher.hand_over("one", lambda: sent.put(os.getpid()))
    assert sent.get(timeout=5) == os.getpid()
    read, write = os.pipe()

    def say() -> None:
        os.write(write, b"sent")

    pid = os.fork()
    if pid == 0:
        publisher.hand_over("one", say)
        publisher.close(5)
        os._exit(0)
    assert os.read(read, 10) == b"sent"
    os.waitpid(pid, 0)
    publisher.close()


@pytest.mark.parametrize(
    ("broker_url", "expected"),
    [
        ("redis://host:6379/1", "redis://host:6379/1"),
        ("redis+socket:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("redis+socket:///run/valkey.sock?virtual_host=2", "unix:///run/valkey.sock?db=2"),
    ],
)
def test_the_url_as_redis_py_writes_it(broker_url: str, expected: str) -> None:
    assert redis_url(replace(Settings(), broker_url=broker_url).broker_url) == expected
