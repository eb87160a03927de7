"""Attempts die where the test says so, and what is on record stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keystroke import Context, action, workflow
from keystroke.testing import KitProblem, TestKit

DONE: list[str] = []


@action
def research(name: str) -> str:
    DONE.append("research")
    print("researching")
    return f"{name} works."


@action
def score(text: str) -> int:
    DONE.append("score")
    return len(text)


@action
def tidy() -> None:
    DONE.append("tidy")


@workflow("pipeline")
def pipeline(name: str, ctx: Context) -> int:
    try:
        points = score(research(name))
        ctx.usage.add("other", "look", cost="1")
        return points
    finally:
        tidy()


@workflow("greedy")
def greedy(names: list[str], ctx: Context) -> list[int]:
    try:
        return ctx.map(score, names)
    except BaseException:  # noqa: BLE001 - what no code should do
        return [-1]


@pytest.fixture
def kit() -> Iterator[TestKit]:
    DONE.clear()
    with TestKit() as made:
        yield made


def test_after_its_record_a_step_is_not_executed_again(kit: TestKit) -> None:
    kit.crash_after("research#0")
    result = kit.run(pipeline, "Ada")
    assert (result.status, result.output, result.attempts, result.recoveries) == ("success", 10, 2, 1)
    assert DONE == ["research", "score", "tidy"]
    assert [line.body for line in result.logs] == ["researching"]


def test_before_its_record_a_step_is_executed_again(kit: TestKit) -> None:
    kit.crash_before("score")
    result = kit.run(pipeline, "Ada")
    assert (result.output, result.attempts) == (10, 2)
    assert DONE == ["research", "score", "score", "tidy"]


def test_usage_outside_of_steps_has_a_record_too(kit: TestKit) -> None:
    kit.crash_after("usage.add#0")
    result = kit.run(pipeline, "Ada")
    assert (result.attempts, result.usage.total_cost) == (2, 1)


def test_several_crashes_one_after_the_other(kit: TestKit) -> None:
    for step in ("research#0", "score#0", "tidy#0"):
        kit.crash_after(step)
    result = kit.run(pipeline, "Ada")
    assert (result.status, result.attempts) == ("success", 4)
    assert DONE == ["research", "score", "tidy"]


def test_a_crash_cannot_be_caught(kit: TestKit) -> None:
    kit.crash_after("map#0.1/score#0")
    result = kit.run(greedy, ["a", "bb", "ccc"])
    assert (result.output, result.recoveries) == ([1, 2, 3], 1)
    assert sorted(DONE).count("score") >= 3


def test_a_crash_that_never_comes_is_told(kit: TestKit) -> None:
    kit.crash_after("scor#0")
    with pytest.raises(KitProblem, match=r'crash_after\("scor#0"\) did not happen: .* research#0, score#0'):
        kit.run(pipeline, "Ada")


def test_whoever_crashes_always_is_given_up(kit: TestKit) -> None:
    for _ in range(6):
        kit.crash_before("score#0")
    result = kit.run(pipeline, "Ada")
    assert (result.status, result.status_reason, result.recoveries) == ("failed", "worker_lost", 6)
