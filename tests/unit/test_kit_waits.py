"""Sleeps and hooks in the test kit: the test moves the time, and answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from keystroke import AsyncContext, Context, HookTimeout, action, workflow
from keystroke.errors import HookAnswered, HookExpired, InvalidAnswer
from keystroke.testing import KitProblem, TestKit


class Decision(BaseModel):
    approved: bool
    note: str = ""


@action
def remind(name: str, at: datetime) -> str:
    return f"{name} at {at:%d %H:%M}"


@action
def ask_boss(url: str) -> None:
    raise AssertionError("the real mail")


@workflow("reminders")
def reminders(name: str, ctx: Context) -> list[str]:
    said = []
    for pause in ("1d", "12h", "30m"):
        ctx.sleep(pause)
        said.append(remind(name, ctx.now()))
    return said


@workflow("new-year")
async def new_year(ctx: AsyncContext) -> str:
    now = await ctx.now()
    await ctx.sleep_until(datetime(now.year + 1, 1, 1, tzinfo=UTC))
    return (await ctx.now()).isoformat(timespec="minutes")


@workflow("approval")
def approval(ctx: Context) -> str:
    hook = ctx.hook("approval", schema=Decision, timeout="3d")
    ask_boss(hook.url)
    try:
        decision = hook.wait()
    except HookTimeout:
        return "nobody"
    return f"{decision.approved} {decision.note}"


@pytest.fixture
def kit() -> Iterator[TestKit]:
    with TestKit(datetime(2030, 1, 1, tzinfo=UTC)) as made:
        made.stub(ask_boss, returns=None)
        yield made


def test_a_sleep_is_over_when_the_time_has_come(kit: TestKit) -> None:
    result = kit.run(reminders, "Ada")
    assert (result.status, result.status_reason) == ("sleeping", "sleep")
    kit.advance("23h")
    assert result.attempts == 1
    kit.advance("1h")
    assert (result.status, list(result.steps)) == ("sleeping", ["sleep#0", "remind#0", "sleep#1"])
    # Exactly what is left, though the code looked at the clock on the way.
    kit.advance("12h30m")
    assert (result.status, result.attempts) == ("success", 4)
    assert result.output == ["Ada at 02 00:00", "Ada at 02 12:00", "Ada at 02 12:30"]


def test_each_wakes_at_its_own_time_on_the_way(kit: TestKit) -> None:
    result = kit.run(reminders, "Ada")
    kit.advance("30d")
    assert result.output == ["Ada at 02 00:00", "Ada at 02 12:00", "Ada at 02 12:30"]
    assert kit.now - datetime(2030, 1, 31, tzinfo=UTC) < timedelta(milliseconds=1)


def test_until_a_time(kit: TestKit) -> None:
    result = kit.run(new_year)
    kit.advance(datetime(2030, 12, 31, 23, tzinfo=UTC))
    assert result.status == "sleeping"
    kit.advance(datetime(2031, 1, 1, tzinfo=UTC))
    assert result.output == "2031-01-01T00:00+00:00"


def test_skipped(kit: TestKit) -> None:
    assert kit.run(reminders, "Ada", skip_time=True).status == "success"


def test_an_answer_by_name_by_step_and_by_link(kit: TestKit) -> None:
    for number in range(3):
        asked = kit.stub("ask_boss", returns=None)
        result = kit.run(approval)
        assert (result.status, result.status_reason) == ("waiting_on_hook", "hook")
        hook = ("approval", "hook:approval#0", asked.seen[0].arguments["url"])[number]
        kit.answer(hook, {"approved": True, "note": "go"})
        assert result.output == "True go"


def test_an_answer_as_a_model(kit: TestKit) -> None:
    result = kit.run(approval)
    kit.answer("approval", Decision(approved=False, note="no"))
    assert result.output == "False no"


def test_an_answer_is_checked_as_a_real_one_is(kit: TestKit) -> None:
    result = kit.run(approval)
    with pytest.raises(InvalidAnswer, match="approved"):
        kit.answer("approval", {"approve": True})
    assert result.status == "waiting_on_hook"
    kit.answer("approval", {"approved": True})
    with pytest.raises(HookAnswered):
        kit.answer("approval", {"approved": False})


def test_nobody_answers(kit: TestKit) -> None:
    result = kit.run(approval, skip_time=True)
    assert result.status == "waiting_on_hook"  # the time is not skipped past an answer
    kit.advance("3d")
    assert result.output == "nobody"
    with pytest.raises(HookExpired):
        kit.answer("approval", {"approved": True})


def test_which_hook_is_meant(kit: TestKit) -> None:
    first, second = kit.run(approval), kit.run(approval)
    with pytest.raises(KitProblem, match="several hooks approval wait"):
        kit.answer("approval", {"approved": True})
    kit.answer("approval", {"approved": True}, run=second)
    assert (first.status, second.status) == ("waiting_on_hook", "success")
    with pytest.raises(KitProblem, match="no run has asked for a hook aproval; there are: approval"):
        kit.answer("aproval")


def test_an_answer_before_the_wait(kit: TestKit) -> None:
    kit.stub("ask_boss", calls=lambda _url: kit.answer("approval", {"approved": True, "note": "at once"}))
    result = kit.run(approval)
    assert (result.output, result.attempts) == ("True at once", 1)


def test_crashes_around_waits(kit: TestKit) -> None:
    for step in ("sleep#0", "sleep#1"):
        kit.crash_after(step)
    result = kit.run(reminders, "Ada")
    kit.advance("2d")
    assert (result.output, result.recoveries) == (
        ["Ada at 02 00:00", "Ada at 02 12:00", "Ada at 02 12:30"],
        2,
    )
    kit.crash_after("hook:approval")
    kit.crash_before("ask_boss")
    result = kit.run(approval)
    kit.answer("approval", {"approved": True})
    assert (result.output, result.recoveries) == ("True ", 2)


def test_a_canceled_sleep(kit: TestKit) -> None:
    result = kit.run(reminders, "Ada")
    kit.cancel(result)
    assert result.status == "canceled"
    kit.advance(timedelta(days=400))
    assert result.attempts == 1
