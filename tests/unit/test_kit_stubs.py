"""Stubs stand in for actions by name, and remember what they saw."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from keystroke import AsyncContext, Backoff, Context, Fatal, action, workflow
from keystroke.testing import KitProblem, TestKit


@action(retries=2, backoff=Backoff(first="1s"))
def charge(customer: str, ctx: Context, cents: int = 100) -> str:
    raise AssertionError("the real card")


@action
def bill(customer: str, ctx: Context) -> str:
    return charge(customer, ctx)


@action
async def ship(order: str) -> str:
    raise AssertionError("the real ship")


@workflow("sell")
def sell(customer: str, ctx: Context) -> str:
    return charge(customer, ctx, cents=200)


@workflow("sell-inside")
def sell_inside(customer: str, ctx: Context) -> str:
    return bill(customer, ctx)


@workflow("deliver")
async def deliver(order: str, ctx: AsyncContext) -> str:
    return await ship(order)


@pytest.fixture
def kit() -> Iterator[TestKit]:
    with TestKit() as made:
        yield made


def test_a_value(kit: TestKit) -> None:
    stub = kit.stub("charge", returns="receipt")
    result = kit.run(sell, "Ada")
    assert result.output == "receipt"
    assert result.steps["charge#0"].output == "receipt"
    assert [(each.arguments, each.step) for each in stub.seen] == [
        ({"customer": "Ada", "cents": 200}, "charge#0")
    ]


def test_an_exception_that_is_final(kit: TestKit) -> None:
    stub = kit.stub(charge, raises=Fatal("declined"))
    result = kit.run(sell, "Ada")
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.message == "declined"
    assert len(stub.seen) == 1


def test_so_many_times_and_then_what_was_there_before(kit: TestKit) -> None:
    kit.stub("charge", returns="at last")
    refused = kit.stub("charge", raises=ConnectionError, times=2)
    before = kit.now
    result = kit.run(sell, "Ada")
    assert (result.output, len(refused.seen)) == ("at last", 2)
    assert result.steps["charge#0"].attempt == 3
    # The pauses were gone through at once, by the kit's clock: one second, and two.
    assert 3 <= (kit.now - before).total_seconds() < 3.1


def test_a_function(kit: TestKit) -> None:
    kit.stub("charge", calls=lambda customer, ctx, cents: f"{customer} {cents} {ctx.workflow}")
    assert kit.run(sell, "Ada").output == "Ada 200 sell"


def test_calls_inside_of_another_action(kit: TestKit) -> None:
    stub = kit.stub("charge", returns="inside")
    assert kit.run(sell_inside, "Ada").output == "inside"
    assert stub.seen[0].step == "bill#0"


def test_async_actions_by_values_and_functions_of_both_kinds(kit: TestKit) -> None:
    async def far(order: str) -> str:
        return f"far {order}"

    kit.stub("ship", returns="here", times=1)
    assert kit.run(deliver, "tea").output == "here"
    kit.stub("ship", calls=lambda order: f"near {order}", times=1)
    assert kit.run(deliver, "tea").output == "near tea"
    kit.stub("ship", calls=far)
    assert kit.run(deliver, "tea").output == "far tea"


def test_what_it_returns_is_checked_as_a_result_is(kit: TestKit) -> None:
    kit.stub("charge", returns=object())
    result = kit.run(sell, "Ada")
    assert result.status == "failed"
    assert "result of charge does not fit str" in repr(result)


def test_an_async_stub_of_a_plain_action_is_told(kit: TestKit) -> None:
    async def late(customer: str, ctx: Context, cents: int) -> str:
        return "late"

    kit.stub("charge", calls=late)
    with pytest.raises(KitProblem, match="the stub of charge is async, and the action is not"):
        kit.run(sell, "Ada")


def test_a_stub_of_nothing_is_told(kit: TestKit) -> None:
    kit.stub("chrage", returns="receipt")
    with pytest.raises(KitProblem, match=r"no action of that name: did you mean charge\?"):
        kit.run(sell, "Ada")


def test_a_stub_does_one_thing(kit: TestKit) -> None:
    with pytest.raises(KitProblem, match="it has returns and raises"):
        kit.stub("charge", returns="receipt", raises=ValueError)
    with pytest.raises(KitProblem, match="it has nothing"):
        kit.stub("charge")
    with pytest.raises(KitProblem, match="raises an exception, not 'oops'"):
        kit.stub("charge", raises="oops")  # type: ignore[arg-type]


@action(timeout="1m", retries=1)
def crunch(number: int) -> int:
    raise AssertionError("the real one")


@workflow("crunching", timeout="5m")
def crunching() -> int:
    return sum(crunch(number) for number in range(10))


def test_a_call_that_takes_its_time(kit: TestKit) -> None:
    kit.stub("crunch", returns=1, takes="20s")
    before = kit.now
    result = kit.run(crunching)
    assert result.output == 10
    assert 200 <= (kit.now - before).total_seconds() < 201
    assert 200 <= result.usage.active.total_seconds() < 201


def test_a_call_that_takes_too_long(kit: TestKit) -> None:
    kit.stub("crunch", returns=1)
    kit.stub("crunch", returns=1, takes="2m", times=1)
    result = kit.run(crunching)
    assert result.output == 10
    assert result.steps["crunch#0"].tries[0].error["type"] == "TimeoutError"


def test_a_run_that_works_too_long(kit: TestKit) -> None:
    kit.stub("crunch", returns=1, takes="50s")
    result = kit.run(crunching)
    assert (result.status, result.status_reason) == ("failed", "timeout")
    assert list(result.steps) == [f"crunch#{number}" for number in range(6)]


def test_the_alarm_of_the_test_itself_stays(kit: TestKit) -> None:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    timer = signal.setitimer(signal.ITIMER_REAL, 500)
    kit.stub("crunch", returns=1)
    kit.run(crunching)
    left, _ = signal.setitimer(signal.ITIMER_REAL, *timer)
    signal.signal(signal.SIGALRM, before)
    assert 0 < left < 500
