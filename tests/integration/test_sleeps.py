"""Sleeps: recorded when they begin and when they are over, by the database's clock; in between the run rests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from keystroke.domain.actor import SYSTEM
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Completed, Suspended
from keystroke.domain.states import DUE, Reason, Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.execution import ledger
from keystroke.operations.moving import move_run
from keystroke.operations.record_sleep import end_sleep
from keystroke.store import Database, history
from support.attempts import MakeRig, Rig

SLEEPING = """
    from contextlib import suppress
    from datetime import timedelta

    @action
    def note(text: str) -> str:
        CALLS.append(text)
        return text

    @workflow("naps")
    def naps(ctx: Context) -> list[str]:
        first = note("first")
        ctx.sleep("1h")
        second = note("second")
        ctx.sleep(timedelta(minutes=30))
        ctx.sleep(0.5)
        return [first, second]

    @workflow("naps-async")
    async def naps_async(ctx: AsyncContext) -> list[str]:
        first = note("first")
        await ctx.sleep("1h")
        second = note("second")
        await ctx.sleep(timedelta(minutes=30))
        await ctx.sleep(0.5)
        return [first, second]

    @workflow("no-time")
    def no_time(ctx: Context) -> str:
        ctx.sleep(0)
        ctx.sleep(-3)
        ctx.sleep(timedelta(days=-1))
        ctx.sleep_until(ctx.now() - timedelta(days=1))
        return "awake"

    @workflow("until")
    def until(ctx: Context) -> bool:
        due = ctx.now() + timedelta(days=400)
        ctx.sleep_until(due)
        return ctx.now() >= due
"""


def transitions(rig: Rig, run_id: str) -> list[str]:
    with rig.database.read() as tx:
        return [entry.transition for entry in history.list_timeline(rig.stage.scope, tx, run_id)]


@pytest.mark.parametrize("workflow", ["naps", "naps-async"])
def test_a_sleep_suspends_the_run_until_its_time(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(SLEEPING)
    run_id = rig.start(workflow)
    suspended = rig.attempt()
    assert isinstance(suspended, Suspended)
    assert suspended.reason is Reason.SLEEP
    assert suspended.delay is not None
    assert timedelta(minutes=59, seconds=58) < suspended.delay <= timedelta(hours=1)
    assert (rig.run(run_id).status, rig.run(run_id).status_reason) == (Status.SLEEPING, Reason.SLEEP)
    step = rig.steps(run_id)["sleep#0"]
    assert (step.kind, step.status, step.input) == (StepKind.SLEEP, StepStatus.RUNNING, {"duration": 3600.0})
    assert rig.stage.claim() is None
    rig.advance(3601)
    assert isinstance(rig.attempt(), Suspended)
    over = rig.steps(run_id)["sleep#0"]
    assert (over.status, over.started_at, over.due_at) == (StepStatus.SUCCESS, step.started_at, step.due_at)
    assert over.finished_at is not None
    assert over.due_at is not None
    assert over.finished_at >= over.due_at
    rig.advance(1801)
    assert isinstance(rig.attempt(), Suspended)
    rig.advance(1)
    assert rig.attempt() == Completed(["first", "second"])
    assert rig.calls == ["first", "second"]
    assert transitions(rig, run_id) == ["create", *["claim", "sleep", "due"] * 3, "claim", "complete"]


def test_no_time_is_over_at_once_and_on_record(make_rig: MakeRig) -> None:
    rig = make_rig(SLEEPING)
    run_id = rig.start("no-time")
    assert rig.attempt() == Completed("awake")
    steps = rig.steps(run_id)
    assert [step.status for step in steps.values()] == [StepStatus.SUCCESS] * 4
    assert steps["sleep#1"].input == {"duration": 0.0}


def test_a_sleep_until_a_time_ends_then(make_rig: MakeRig) -> None:
    rig = make_rig(SLEEPING)
    run_id = rig.start("until")
    assert isinstance(rig.attempt(), Suspended)
    rig.advance(399 * 86_400)
    assert rig.stage.claim() is None
    rig.advance(86_401)
    assert rig.attempt() == Completed(True)
    assert set(rig.steps(run_id)["sleep#0"].input) == {"until"}


def test_a_run_that_is_executed_again_before_the_time_goes_on_sleeping_until_then(make_rig: MakeRig) -> None:
    rig = make_rig(SLEEPING)
    run_id = rig.start("naps")
    rig.attempt()
    due = rig.steps(run_id)["sleep#0"].due_at
    rig.advance(1800)
    with rig.database.transaction() as tx:
        assert move_run(tx, DUE, run_id, actor=SYSTEM) is not None
    again = rig.attempt()
    assert isinstance(again, Suspended)
    assert again.delay is not None
    assert timedelta(minutes=29, seconds=58) < again.delay <= timedelta(minutes=30)
    assert rig.steps(run_id)["sleep#0"].due_at == due
    assert rig.calls == ["first"]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("ctx.sleep('soon')", "is not a duration"),
        ("ctx.sleep(float('nan'))", ""),
        ("ctx.sleep(float('inf'))", "longer than a hundred years"),
        ("ctx.sleep(True)", "is not a duration"),
        ("ctx.sleep_until(datetime(2030, 1, 1))", "takes an aware datetime"),
        ("ctx.sleep_until('tomorrow')", "takes an aware datetime"),
    ],
)
def test_what_is_no_time_is_an_error_that_says_so(make_rig: MakeRig, call: str, complaint: str) -> None:
    rig = make_rig(
        f"""
        @workflow("odd")
        def odd(ctx: Context) -> None:
            {call}
        """
    )
    run = rig.run_through("odd")
    assert run.error is not None
    assert (run.error["type"], complaint in run.error["message"]) == ("ValueError", True)
    assert rig.steps(run.id) == {}


def test_another_duration_on_replay_is_nondeterminism(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("jittery")
        def jittery(ctx: Context) -> None:
            ctx.sleep(10 * ctx.attempt)
        """
    )
    run = rig.run_through("jittery")
    assert run.status_reason is Reason.NONDETERMINISM
    assert run.error is not None
    assert "recorded: sleep sleep(duration=10.0)" in run.error["message"]
    assert "actual:   sleep sleep(duration=20.0)" in run.error["message"]


def test_waits_belong_in_the_workflows_own_code(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from concurrent.futures import ThreadPoolExecutor
        CONTEXT = []

        def tried(call):
            try:
                call()
            except Exception as error:
                return f"{type(error).__name__}: {error}"

        @action
        def nap(ctx: Context) -> str:
            return tried(lambda: ctx.sleep(1)) + " " + tried(lambda: ctx.hook("h"))

        @action
        async def nap_async(ctx: AsyncContext) -> str:
            try:
                await ctx.sleep(1)
            except Exception as error:
                return str(error)

        @action
        def nap_in_thread() -> str:
            with ThreadPoolExecutor() as pool:
                return pool.submit(tried, lambda: CONTEXT[0].sleep(1)).result()

        @workflow("elsewhere")
        def elsewhere(ctx: Context) -> list[str]:
            CONTEXT[:] = [ctx]
            with ThreadPoolExecutor() as pool:
                threaded = [pool.submit(tried, lambda: ctx.sleep(1)), pool.submit(tried, lambda: ctx.hook("h"))]
            return [nap(ctx), nap_in_thread(), *(each.result() for each in threaded)]

        @workflow("elsewhere-async")
        async def elsewhere_async(ctx: AsyncContext) -> str:
            return await nap_async(ctx)
        """
    )
    in_action, in_its_thread, sleep, hook = rig.run_through("elsewhere").output
    assert "WaitInAction: ctx.sleep was called inside of an action" in in_action
    assert "WaitInAction: ctx.hook was called inside of an action" in in_action
    for call, said in (("ctx.sleep", in_its_thread), ("ctx.sleep", sleep), ("ctx.hook", hook)):
        assert said.startswith(
            f"NotInWorkflowCode: {call} was called in a thread that the workflow started itself"
        )
    assert rig.run_through("elsewhere-async").output.startswith("ctx.sleep was called inside of an action")


@pytest.mark.parametrize("ahead", [7200.0, -7200.0])
def test_the_clock_of_the_workers_host_does_not_matter(make_rig: MakeRig, ahead: float) -> None:
    rig = make_rig(SLEEPING)
    rig.start("naps")
    rig.settings = replace(rig.settings, clock_offset=ahead)
    suspended = rig.attempt()
    assert isinstance(suspended, Suspended)
    assert suspended.delay is not None
    assert timedelta(minutes=59, seconds=55) < suspended.delay <= timedelta(hours=1)


def test_what_slept_is_replayed_without_a_write(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig(
        """
        @workflow("many")
        def many(ctx: Context) -> int:
            for _ in range(300):
                ctx.sleep(0)
            ctx.sleep(1)
            return 300
        """
    )
    rig.start("many")
    assert isinstance(rig.attempt(), Suspended)
    rig.advance(2)
    ended: list[str] = []

    def note(database: Database, lease: Lease, step: Step) -> timedelta | None:
        ended.append(step.identity)
        return end_sleep(database, lease, step)

    monkeypatch.setattr(ledger, "end_sleep", note)
    assert rig.attempt() == Completed(300)
    assert ended == ["sleep#300"]


def test_nothing_is_behind_when_a_relaxed_run_comes_to_rest(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def note(text: str) -> str:
            CALLS.append(text)
            return text

        @workflow("relaxed", durability="relaxed")
        def relaxed(ctx: Context) -> list:
            first = [note(f"{number}") for number in range(3)]
            ctx.sleep("1h")
            second = note("after")
            hook = ctx.hook("approval")
            return [first, second, note("asked"), hook.wait()]
        """
    )
    run_id = rig.start("relaxed")
    assert isinstance(rig.attempt(), Suspended)
    assert set(rig.steps(run_id)) == {"note#0", "note#1", "note#2", "sleep#0"}
    rig.advance(3601)
    assert isinstance(rig.attempt(), Suspended)
    assert {step.status for identity, step in rig.steps(run_id).items() if identity != "hook:approval#0"} == {
        StepStatus.SUCCESS
    }
    assert rig.calls == ["0", "1", "2", "after", "asked"]
