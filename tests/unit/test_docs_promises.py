"""Sentences of the page for authors that no snippet shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from keystroke import AsyncContext, ChildFailed, Concurrency, Context, action, workflow
from keystroke.errors import KeystrokeError
from keystroke.testing import TestKit

CLEANED: list[str] = []


@action
def note(text: str) -> str:
    return text


@workflow("child")
def child(name: str, ctx: Context) -> str:
    ctx.sleep("1h")
    return note(name)


@workflow("side-by-side")
async def side_by_side(ctx: AsyncContext) -> list[str]:
    async def after(pause: str) -> str:
        await ctx.sleep(pause)
        return note(f"{pause} {(await ctx.now()):%H:%M}")

    return list(await asyncio.gather(after("2h"), after("1h"), after("90m")))


@workflow("async-parent")
async def async_parent(ctx: AsyncContext) -> list[str]:
    first = await child.start("one")
    second = await child.start("two")
    await ctx.wait([first, second])
    return [await first.result(), await second.result(), await child.run("three")]


@workflow("cleaning")
def cleaning(ctx: Context) -> None:
    try:
        ctx.sleep("1h")
    finally:
        CLEANED.append("plain code")
        note("clean up")


@workflow("catching")
def catching(ctx: Context) -> str:
    try:
        ctx.sleep("1h")
    except:  # noqa: E722 - what the page warns of
        return "caught"
    return "slept"


@workflow("one-at-a-time", concurrency=Concurrency(1))
def one_at_a_time(ctx: Context) -> None:
    ctx.sleep("1h")


@workflow("parent")
def parent(detached: bool, ctx: Context) -> str:
    child.start("kept", detached=detached, tags={"team": "sales"})
    ctx.sleep("10h")
    return "done"


@pytest.fixture
def kit() -> Iterator[TestKit]:
    CLEANED.clear()
    with TestKit(datetime(2030, 1, 1, tzinfo=UTC)) as made:
        yield made


def test_branches_sleep_beside_each_other(kit: TestKit) -> None:
    result = kit.run(side_by_side)
    kit.advance("2h")
    assert result.output == ["2h 02:00", "1h 01:00", "90m 01:30"]


def test_in_an_async_workflow_children_are_awaited(kit: TestKit) -> None:
    result = kit.run(async_parent)
    kit.advance(timedelta(hours=2))
    assert result.output == ["one", "two", "three"]


def test_finally_runs_at_every_wait_and_an_action_in_it_when_the_code_ends(kit: TestKit) -> None:
    result = kit.run(cleaning)
    assert (CLEANED, list(result.steps)) == (["plain code"], ["sleep#0"])
    kit.advance("1h")
    assert (CLEANED, list(result.steps)) == (["plain code"] * 2, ["sleep#0", "note#0"])


def test_code_that_catches_everything_holds_up_a_wait(kit: TestKit) -> None:
    result = kit.run(catching)
    assert (result.status, result.status_reason) == ("failed", "suspension_swallowed")
    assert result.error is not None
    assert "test_docs_promises.py" in result.error.message


def test_a_run_that_sleeps_gives_its_place_back(kit: TestKit) -> None:
    assert [kit.run(one_at_a_time).status for _ in range(3)] == ["sleeping"] * 3


@pytest.mark.parametrize(("detached", "status"), [(False, "canceled"), (True, "sleeping")])
def test_a_canceled_parent(kit: TestKit, detached: bool, status: str) -> None:
    result = kit.run(parent, detached)
    kit.cancel(result)
    (started,) = result.children
    assert (result.status, started.status, started.tags) == ("canceled", status, {"team": "sales"})


def test_waits_and_children_in_an_action_are_errors(kit: TestKit) -> None:
    @action
    def resting(ctx: Context) -> None:
        ctx.sleep("1h")

    @action
    def starting() -> None:
        child.start("one")

    @workflow("wrong")
    def wrong(ctx: Context) -> list[str]:
        errors = []
        for act in (resting, lambda _ctx: starting()):
            try:
                act(ctx)
            except ChildFailed:
                raise
            except Exception as error:  # noqa: BLE001 - looked at below
                errors.append(str(error))
        return errors

    result = kit.run(wrong)
    assert result.status == "success", result
    assert "action" in result.output[0]
    assert "action" in result.output[1]


def test_outside_of_a_run_children_are_errors() -> None:
    with pytest.raises(KeystrokeError, match="child"):
        child.start("one")


@workflow("same-parcel")
def same_parcel(name: str, ctx: Context) -> str:
    return str(child.start(name, key="parcel 7").run_id)


def test_a_key_is_one_child_from_whichever_run(kit: TestKit) -> None:
    assert kit.run(same_parcel, "one").output == kit.run(same_parcel, "one").output
    kit.advance("2d")  # beyond the child's `idempotency_ttl`
    assert kit.run(same_parcel, "one").output == kit.runs[-1].id
