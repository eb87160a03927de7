"""Budgets: a run that costs more than it may ends, and what brought it there stays on record."""

from __future__ import annotations

import pytest

from keystroke.domain.outcome import Failed
from keystroke.domain.states import Reason
from keystroke.domain.step import StepStatus
from keystroke.operations.recover_runs import recover_attempt
from support.attempts import MakeRig

COSTLY = """
    @action(retries=2, backoff=Backoff(first="1ms", longest="1ms"))
    def ask(cost: str, fails: int, ctx: Context) -> str:
        CALLS.append(cost)
        ctx.usage.add("model", "m", cost=cost)
        if len(CALLS) <= fails:
            raise ConnectionError("away")
        return "answer " + cost

    @action
    async def ask_async(cost: str, ctx: AsyncContext) -> str:
        await ctx.usage.add("model", "m", cost=cost)
        CALLS.append(cost)
        return cost

    @workflow("asks", budget="1.00", max_attempts=3)
    def asks(costs: list[str], ctx: Context) -> int:
        try:
            for cost in costs:
                ask(cost, 0, ctx)
            return len(costs)
        except BaseException:
            CALLS.append("swallowed")
            ask("0.01", 0, ctx)

    @workflow("fails", budget="1.00")
    def fails(fails: int, ctx: Context) -> str:
        return ask("0.6", fails, ctx)

    @workflow("outside", budget="1.00")
    def outside(ctx: Context) -> None:
        ctx.usage.add("service", "s", cost="0.9")
        ctx.usage.add("service", "s", cost="0.2")
        CALLS.append("went on")

    @workflow("mapped", budget="1.00")
    def mapped(ctx: Context) -> None:
        ctx.map(lambda cost: ask(cost, 0, ctx), ["0.6", "0.6", "0.6", "0.6", "0.6", "0.6"], concurrency=2)

    @workflow("gathered", budget="1.00")
    async def gathered(ctx: AsyncContext) -> None:
        await asyncio.gather(ask_async("0.6", ctx), ask_async("0.6", ctx))
        CALLS.append("went on")

    @workflow("relaxed", budget="1.00", durability="relaxed")
    def relaxed(costs: list[str], ctx: Context) -> int:
        for cost in costs:
            ask(cost, 0, ctx)
        return len(costs)
"""


@pytest.mark.parametrize("workflow", ["asks", "relaxed"])
def test_a_run_beyond_its_budget_ends_with_the_step_that_brought_it_there(
    make_rig: MakeRig, workflow: str
) -> None:
    rig = make_rig(COSTLY)
    run = rig.run_through(workflow, ["0.5", "0.5", "0.25", "0.5"])
    assert (run.status, run.status_reason, run.attempt) == ("failed", Reason.BUDGET_EXCEEDED, 1)
    assert rig.calls == ["0.5", "0.5", "0.25", *(["swallowed"] if workflow == "asks" else [])]
    last = rig.steps(run.id)["ask#2"]
    assert (last.status, last.output) == (StepStatus.SUCCESS, "answer 0.25")
    assert run.error is not None
    assert (run.error["type"], run.error["step"]) == ("BudgetExceeded", "ask#2")
    assert run.error["message"] == "The run has cost 1.25 USD, more than its budget of 1."
    assert str(run.total_cost) == "1.25"


def test_a_run_may_spend_all_that_it_has(make_rig: MakeRig) -> None:
    rig = make_rig(COSTLY)
    assert rig.run_through("asks", ["0.5", "0.5"]).output == 2


def test_failed_tries_count(make_rig: MakeRig) -> None:
    rig = make_rig(COSTLY)
    run = rig.run_through("fails", 2)
    assert (run.status_reason, rig.calls) == (Reason.BUDGET_EXCEEDED, ["0.6", "0.6"])
    assert rig.steps(run.id)["ask#0"].status is StepStatus.RETRYING


@pytest.mark.parametrize("workflow", ["outside", "gathered", "mapped"])
def test_usage_outside_of_steps_and_in_branches_counts(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(COSTLY)
    run = rig.run_through(workflow)
    assert run.status_reason is Reason.BUDGET_EXCEEDED
    assert "went on" not in rig.calls
    assert len(rig.calls) < 6


def test_an_attempt_after_a_crash_does_not_spend_more(make_rig: MakeRig) -> None:
    rig = make_rig(COSTLY)
    run_id = rig.start("asks", ["0.7", "0.7", "0.7"])
    lease = rig.claim()
    from keystroke.execution.attempt import run_attempt
    from keystroke.execution.gate import QuietGate

    result = run_attempt(rig.database, rig.project, lease, QuietGate(), rig.settings, rig.stage.box)
    assert isinstance(result.outcome, Failed)
    # Its worker dies before the end is on record.
    recover_attempt(rig.database, run_id, lease.attempt, rig.settings)
    calls = len(rig.calls)
    rig.attempt()
    assert rig.run(run_id).status_reason is Reason.BUDGET_EXCEEDED
    assert len(rig.calls) == calls
