"""Children and limits in the test kit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keystroke import ChildFailed, Concurrency, Context, Fatal, RateLimit, action, workflow
from keystroke.testing import TestKit


@action
def charge(customer: str) -> str:
    if customer == "Mallory":
        raise Fatal("declined")
    return f"receipt of {customer}"


@workflow("charge-card")
def charge_card(customer: str, ctx: Context) -> str:
    ctx.sleep("1h")
    return charge(customer)


@workflow("order")
def order(customer: str, ctx: Context) -> str:
    try:
        return str(charge_card.run(customer))
    except ChildFailed as failed:
        return f"no: {failed}"


@workflow("orders")
def orders(customers: list[str], ctx: Context) -> list[str]:
    children = [charge_card.start(customer, key=f"order of {customer}") for customer in customers]
    ctx.wait(children)
    return [child.result() for child in children]


@workflow("report-failure")
def report_failure(failed: dict[str, object]) -> str:
    return f"{failed['workflow']} failed"


@workflow("reckless", on_failure=report_failure)
def reckless() -> None:
    raise ValueError("oops")


@workflow("alone", concurrency=Concurrency(1, key="{input}", policy="skip"))
def alone(customer: str, ctx: Context) -> None:
    ctx.sleep("1h")


@workflow("newest", concurrency=Concurrency(1, policy="replace"))
def newest(customer: str, ctx: Context) -> None:
    ctx.sleep("1h")


@workflow("slowly", rate_limit=RateLimit(2, per="1m"))
def slowly() -> None:
    """Nothing to do."""


@pytest.fixture
def kit() -> Iterator[TestKit]:
    with TestKit() as made:
        yield made


def test_a_child_is_waited_for(kit: TestKit) -> None:
    result = kit.run(order, "Ada")
    assert (result.status, result.status_reason) == ("sleeping", "child_runs")
    assert [(child.workflow, child.status) for child in result.children] == [("charge-card", "sleeping")]
    kit.advance("1h")
    assert result.output == "receipt of Ada"
    assert [run.workflow for run in kit.runs] == ["order", "charge-card"]


def test_a_child_that_fails(kit: TestKit) -> None:
    result = kit.run(order, "Mallory", skip_time=True)
    assert result.output.startswith("no: ")
    assert "declined" in result.output


def test_fan_out(kit: TestKit) -> None:
    result = kit.run(orders, ["Ada", "Grace", "Ada"], skip_time=True)
    assert result.output == ["receipt of Ada", "receipt of Grace", "receipt of Ada"]
    assert list(result.steps) == ["run:charge-card#0", "run:charge-card#1", "run:charge-card#2"]
    assert len(result.children) <= 3


def test_crashes_around_children(kit: TestKit) -> None:
    kit.crash_before("run:charge-card#0")
    kit.crash_after("run:charge-card#1")
    result = kit.run(orders, ["Ada", "Grace"], skip_time=True)
    assert (result.output, result.recoveries) == (["receipt of Ada", "receipt of Grace"], 2)
    assert len(result.children) == 2


def test_what_follows_a_failure(kit: TestKit) -> None:
    assert kit.run(reckless).status == "failed"
    assert [(run.workflow, run.output) for run in kit.runs[1:]] == [("report-failure", "reckless failed")]


def test_skip_and_replace(kit: TestKit) -> None:
    first, second, other = kit.run(alone, "Ada"), kit.run(alone, "Ada"), kit.run(alone, "Grace")
    assert (first.status, second.status, other.status) == ("sleeping", "canceled", "sleeping")
    assert second.status_reason == "concurrency_skipped"
    first, second = kit.run(newest, "Ada"), kit.run(newest, "Ada")
    assert (first.status_reason, second.status) == ("concurrency_replaced", "sleeping")


def test_so_many_in_a_minute(kit: TestKit) -> None:
    runs = [kit.run(slowly) for _ in range(5)]
    assert [run.status for run in runs] == ["success", "success", "queued", "queued", "queued"]
    assert runs[2].status_reason == "waiting_for_rate_limit"
    kit.advance("2m")
    assert [run.status for run in runs] == ["success"] * 5
