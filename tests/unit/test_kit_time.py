"""The kit's time stands still until the test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from keystroke import Backoff, Context, action, workflow
from keystroke.testing import KitProblem, TestKit

LONG = Backoff(first="1h", factor=2, longest="3h")


@action(retries=3, backoff=LONG)
def call_home(name: str) -> str:
    raise ConnectionError("nobody there")


@workflow("calling")
def calling(name: str, ctx: Context) -> list[str]:
    return [ctx.now().isoformat(), call_home(name)]


@action
def tick() -> str:
    return "tick"


@workflow("again", max_attempts=3, backoff=Backoff(first="10m", factor=1, longest="10m"))
def again(ctx: Context) -> int:
    tick()
    if ctx.attempt < 3:
        raise ValueError(f"attempt {ctx.attempt}")
    return ctx.attempt


@pytest.fixture
def kit() -> Iterator[TestKit]:
    with TestKit(datetime(2030, 1, 1, tzinfo=UTC)) as made:
        yield made


def test_long_pauses_of_a_step_wait_for_the_time_to_move(kit: TestKit) -> None:
    refused = kit.stub("call_home", raises=ConnectionError("engaged"))
    result = kit.run(calling, "Ada")
    assert (result.status, result.status_reason, len(refused.seen)) == ("sleeping", "retry_backoff", 1)
    kit.advance("59m")
    assert len(refused.seen) == 1
    kit.advance("1m")
    assert len(refused.seen) == 2
    kit.stub("call_home", returns="hello")
    kit.advance(timedelta(hours=2))
    assert result.status == "success"
    # Read once, and the same when the run goes on hours later.
    assert result.output[0].startswith("2030-01-01T00:00:00.0000")
    assert result.output[1] == "hello"
    assert kit.now - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(hours=3, seconds=1)


def test_several_pauses_on_the_way_pass_each_at_its_time(kit: TestKit) -> None:
    stub = kit.stub("call_home", calls=lambda _name: seen.append(kit.now) or _refuse())
    seen: list[datetime] = []
    result = kit.run(calling, "Ada")
    kit.advance("6h")
    assert (result.status, len(stub.seen)) == ("failed", 4)
    hours = [round((at - seen[0]) / timedelta(hours=1), 3) for at in seen]
    assert hours == [0, 1, 3, 6]


def test_runs_that_are_tried_again(kit: TestKit) -> None:
    result = kit.run(again)
    assert (result.status, result.attempts) == ("sleeping", 1)
    kit.advance("10m")
    assert (result.status, result.attempts) == ("sleeping", 2)
    kit.advance("10m")
    assert (result.status, result.output) == ("success", 3)


def test_time_can_be_skipped(kit: TestKit) -> None:
    result = kit.run(again, skip_time=True)
    assert (result.status, result.attempts) == ("success", 3)
    assert kit.now >= datetime(2030, 1, 1, 0, 20, tzinfo=UTC)


def test_to_a_time_of_the_calendar(kit: TestKit) -> None:
    result = kit.run(again)
    kit.advance(datetime(2030, 1, 2, tzinfo=UTC))
    assert result.status == "success"
    assert kit.now == datetime(2030, 1, 2, tzinfo=UTC)


def test_the_time_is_set_before_the_first_run_only(kit: TestKit) -> None:
    kit.stub("tick", returns="tock")
    kit.now = datetime(2031, 5, 1, tzinfo=UTC)
    result = kit.run(again, skip_time=True)
    assert result.record.created_at.year == 2031
    assert result.steps["tick#0"].output == "tock"
    with pytest.raises(KitProblem, match="before the first run only"):
        kit.now = datetime(2032, 1, 1, tzinfo=UTC)


def _refuse() -> str:
    raise ConnectionError("engaged")
