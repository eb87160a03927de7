"""Changes are told over the broker, so that whoever follows a run looks at once; without a broker it looks all the same."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from keystroke.broker.changes import ChangeListener, ChangeNotices
from keystroke.settings import Settings
from keystroke_api import waits
from support.api import open_api
from support.servers import Valkey
from support.starts import Stage
from support.streams import events
from support.waiting import wait_until

PROJECT = "prj_one"


@pytest.fixture
def broker_settings(broker_url: str) -> Settings:
    return Settings(broker_url=broker_url, key_prefix="mine")


@pytest.fixture
def notices(broker_settings: Settings) -> Iterator[ChangeNotices]:
    with closing(ChangeNotices(broker_settings)) as notices:
        yield notices


@pytest.fixture
def heard(broker_settings: Settings, valkey_server: Valkey) -> Iterator[queue.Queue[float]]:
    """When a listener was told of a change."""
    heard: queue.Queue[float] = queue.Queue()
    listener = ChangeListener(broker_settings, lambda: heard.put(time.monotonic()))
    listener.start()
    with closing(listener):
        wait_until(lambda: has_listeners(valkey_server))
        yield heard


def has_listeners(valkey: Valkey) -> bool:
    """Whether somebody has subscribed to the changes."""
    with valkey.client() as client:
        found: Any = client.pubsub_numpat()
    return bool(found)


def test_many_changes_are_a_message_now_and_one_for_the_rest(
    heard: queue.Queue[float], notices: ChangeNotices
) -> None:
    for _ in range(10_000):
        notices.tell(PROJECT)
    told_until = time.monotonic()
    first = heard.get(timeout=5)
    last = heard.get(timeout=5)
    while last < told_until:
        last = heard.get(timeout=5)
    notices.close()
    assert heard.qsize() <= 1
    assert last - first >= 0.09, "a process says it at most about ten times a second"


def test_without_redis_nobody_waits_and_after_its_return_it_is_told_again(
    heard: queue.Queue[float], notices: ChangeNotices, valkey_server: Valkey
) -> None:
    valkey_server.stop()
    try:
        began = time.monotonic()
        for _ in range(100):
            notices.tell(PROJECT)
        assert time.monotonic() - began < 1
    finally:
        valkey_server.start()

    def told_again() -> bool:
        notices.tell(PROJECT)
        return not heard.empty()

    wait_until(told_again)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look without a hint."""
    monkeypatch.setattr(waits, "_PAUSE", 600.0)
    monkeypatch.setattr(waits, "_SHORT_PAUSE", 600.0)


@pytest.mark.usefixtures("unhurried")
def test_a_stream_is_looked_for_when_a_change_is_told(
    stage: Stage, broker_url: str, valkey_server: Valkey
) -> None:
    api = open_api(stage, broker_url=broker_url)
    with (
        closing(api.services),
        closing(ChangeNotices(replace(stage.settings, broker_url=broker_url))) as notices,
    ):
        lease = stage.start_and_claim()
        told = events(api, f"/runs/{lease.run_id}/events")
        assert [next(told).data["status"] for _ in range(2)] == ["queued", "running"]
        wait_until(lambda: has_listeners(valkey_server))
        stage.finish(lease)
        notices.tell(lease.project_id)
        assert [event.name for event in told] == ["status", "end"]


@pytest.mark.usefixtures("unhurried")
def test_a_wait_is_looked_for_when_a_change_is_told(
    stage: Stage, broker_url: str, valkey_server: Valkey
) -> None:
    api = open_api(stage, broker_url=broker_url)
    with (
        closing(api.services),
        closing(ChangeNotices(replace(stage.settings, broker_url=broker_url))) as notices,
    ):
        started = stage.start()
        followed = events(api, f"/runs/{started.run_id}/events")
        next(followed)
        lease = stage.claim()
        assert lease is not None
        stage.finish(lease)
        wait_until(lambda: has_listeners(valkey_server))
        notices.tell(lease.project_id)
        assert api.services.waits.until_terminal(stage.scope, lease.run_id, 30)
        followed.close()
