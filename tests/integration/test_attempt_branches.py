"""Branches: whatever finishes first, and wherever an attempt ends, every call finds its own record again."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from keystroke.domain.outcome import Completed, Suspended
from keystroke.domain.states import Status
from keystroke.errors import ActionInForeignThread, DatabaseUnavailable, LeaseLost
from keystroke.execution import ledger
from keystroke.execution.gate import InterruptGate, Interruption
from keystroke.operations.record_step import record_step
from keystroke.operations.recover_runs import recover_attempt
from support.attempts import MakeRig, Rig

GATHERED = """
    @action
    async def fetch(name: str) -> str:
        CALLS.append(f"fetch {name}")
        await asyncio.sleep(0.02 if name == "slow" else 0)
        return f"{name}!"

    @action
    async def store(text: str) -> str:
        CALLS.append(f"store {text}")
        await asyncio.sleep(0)
        return f"{text} kept"

    @action
    def count(number: int) -> int:
        CALLS.append(f"count {number}")
        return number

    async def branch(name: str) -> str:
        return await store(await fetch(name))

    @workflow("gathered")
    async def gathered(ctx: AsyncContext) -> list[str]:
        one = await asyncio.gather(branch("slow"), branch("quick"))
        async with asyncio.TaskGroup() as group:
            two = [group.create_task(branch(name)) for name in ("x", "slow")]
        squares = await ctx.map(count, [3, 4], concurrency=2)
        return [*one, *(task.result() for task in two), str(squares), f"{await ctx.random():.4f}"]

    @workflow("mapped")
    def mapped(ctx: Context) -> list[int]:
        def both(number: int) -> int:
            return count(number) + count(number * 10)
        now = ctx.now()
        sums = ctx.map(both, [1, 2, 3], concurrency=3)
        return [*sums, *ctx.map(count, [], 2), *ctx.map(count, [7]), int(ctx.uuid()) % 1000, now.microsecond]
"""


def test_identities_follow_the_order_of_creation(make_rig: MakeRig) -> None:
    rig = make_rig(GATHERED)
    run = rig.run_through("gathered")
    assert run.status == Status.SUCCESS
    assert run.output[:5] == ["slow! kept", "quick! kept", "x! kept", "slow! kept", "[3, 4]"]
    assert set(rig.steps(run.id)) == {
        "0/fetch#0", "0/store#0", "1/fetch#0", "1/store#0", "2/fetch#0", "2/store#0", "3/fetch#0", "3/store#0",
        "map#0.0/count#0", "map#0.1/count#0",
    }  # fmt: skip
    mapped = rig.run_through("mapped")
    assert mapped.output[:4] == [11, 22, 33, 7]
    assert set(rig.steps(mapped.id)) == {
        "map#0.0/count#0", "map#0.0/count#1", "map#0.1/count#0", "map#0.1/count#1", "map#0.2/count#0",
        "map#0.2/count#1", "map#2.0/count#0",
    }  # fmt: skip


@pytest.mark.parametrize(("workflow", "records"), [("gathered", 10), ("mapped", 7)])
def test_taken_over_after_each_record_it_ends_the_same(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, workflow: str, records: int
) -> None:
    rig = make_rig(GATHERED)
    for lost_after in range(1, records + 1):
        rig.calls.clear()
        run_id = rig.start(workflow)
        recorded = _lose_the_run_after(rig, monkeypatch, lost_after)
        # After the last record nothing is left to write but the end, and that finds the run lost.
        with pytest.raises(LeaseLost) if lost_after < records else nullcontext():
            rig.attempt()
        monkeypatch.undo()
        assert rig.run(run_id).status == Status.QUEUED
        kept = {identity: step.output for identity, step in rig.steps(run_id).items()}
        assert set(recorded) <= set(kept)
        steps_before, done = set(kept), len(rig.calls)
        assert isinstance(rig.attempt(), Completed)
        steps = rig.steps(run_id)
        assert len(steps) == records
        assert {identity: steps[identity].output for identity in kept} == kept
        assert len(rig.calls) - done == records - len(steps_before)
        texts = ["slow! kept", "quick! kept", "x! kept", "slow! kept", "[3, 4]"]
        expected = texts if workflow == "gathered" else [11, 22, 33, 7]
        assert rig.run(run_id).output[: len(expected)] == expected


def _lose_the_run_after(rig: Rig, monkeypatch: pytest.MonkeyPatch, records: int) -> list[str]:
    """Another worker takes the run over as soon as so many steps are on record."""
    recorded: list[str] = []

    def record_and_lose(database, lease, step, settings, usage=()):  # type: ignore[no-untyped-def]
        record_step(database, lease, step, settings, usage)
        recorded.append(step.identity)
        if len(recorded) == records:
            assert recover_attempt(database, lease.run_id, lease.attempt, settings)

    monkeypatch.setattr(ledger, "record_step", record_and_lose)
    return recorded


def test_time_and_chance_are_the_same_on_replay(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        async def note(text: str) -> str:
            return text

        @workflow("chance", max_attempts=3)
        async def chance(ctx: AsyncContext) -> None:
            start = (await ctx.now()).isoformat()
            drawn = f"{await ctx.random()} {await ctx.random()} {await ctx.uuid()}"
            await asyncio.gather(note(start), note(drawn))
            CALLS.append((start, drawn, (await ctx.now()).isoformat()))
            if ctx.attempt > 1:
                await note((await ctx.now()).isoformat())
            raise ValueError
        """
    )
    run = rig.run_through("chance")
    assert run.error is not None
    assert run.error["type"] == "ValueError"
    first, second, third = rig.calls
    assert first[:2] == second[:2] == third[:2]
    assert second[2] == third[2] != first[2]


def test_a_branch_in_progress_ends_before_the_run_is_suspended(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=1, backoff=Backoff(first="1h", factor=1, longest="1h"))
        async def flaky() -> str:
            CALLS.append("flaky")
            await asyncio.sleep(0.01)
            if CALLS.count("flaky") == 1:
                raise ConnectionError
            return "at last"

        @action
        async def slow() -> str:
            CALLS.append("slow")
            await asyncio.sleep(0.05)
            return "done"

        @workflow("mixed")
        async def mixed() -> list[str]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(flaky()), group.create_task(slow())]
            return [task.result() for task in tasks]
        """
    )
    run_id = rig.start("mixed")
    assert isinstance(rig.attempt(), Suspended)
    assert rig.steps(run_id)["1/slow#0"].output == "done"
    rig.advance(4000)
    assert rig.attempt() == Completed(["at last", "done"])
    assert rig.calls == ["flaky", "slow", "flaky"]


def test_map_goes_through_all_items_and_raises_the_first_failure(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def picky(number: int) -> int:
            if number % 2:
                raise ValueError(f"odd: {number}")
            return number

        @workflow("picking")
        def picking(ctx: Context) -> None:
            ctx.map(picky, range(6), concurrency=3)
        """
    )
    run = rig.run_through("picking")
    assert run.error is not None
    assert (run.error["message"], run.error["step"]) == ("odd: 1", "map#0.1/picky#0")
    assert len(rig.steps(run.id)) == 6


def test_actions_in_threads_of_the_authors_are_refused(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from concurrent.futures import ThreadPoolExecutor

        @action
        def square(number: int) -> int:
            return number * number

        @workflow("threaded")
        def threaded() -> list[int]:
            with ThreadPoolExecutor() as pool:
                return list(pool.map(square, [1, 2]))

        @workflow("to-thread")
        async def to_thread() -> int:
            return await asyncio.to_thread(square, 3)

        @workflow("forked")
        def forked() -> int:
            child = os.fork()
            if child == 0:
                try:
                    square(3)
                except Exception as error:
                    os._exit(len(str(error)) % 256)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        @action
        def outer() -> list[int]:
            with ThreadPoolExecutor() as pool:
                return list(pool.map(square, [1, 2]))

        @workflow("inside")
        def inside() -> list[int]:
            return outer()
        """
    )
    for workflow in ("threaded", "to-thread"):
        run = rig.run_through(workflow)
        assert run.status == Status.FAILED
        assert run.error is not None
        assert "use ctx.map(square, items)" in run.error["message"]
    refused = ActionInForeignThread(action="square")
    assert rig.run_through("forked").output == len(str(refused))
    assert rig.run_through("inside").output == [1, 4]


@pytest.mark.parametrize("how", ["exit", "interrupt", "recursion", "group", "cancel"])
def test_whatever_a_task_ends_with_is_a_failure_of_the_run(make_rig: MakeRig, how: str) -> None:
    rig = make_rig(
        """
        def deeper() -> None:
            deeper()

        async def end(how: str) -> None:
            await asyncio.sleep(0)
            match how:
                case "exit":
                    raise SystemExit(3)
                case "interrupt":
                    raise KeyboardInterrupt
                case "recursion":
                    deeper()
                case "cancel":
                    raise asyncio.CancelledError
            raise ValueError(how)

        @workflow("ending")
        async def ending(how: str) -> None:
            if how == "cancel":
                await end(how)
            async with asyncio.TaskGroup() as group:
                group.create_task(end(how))
                group.create_task(asyncio.sleep(30))
        """
    )
    run = rig.run_through("ending", how)
    assert run.status == Status.FAILED
    assert run.error is not None
    assert run.error["type"] == {
        "exit": "SystemExit", "interrupt": "KeyboardInterrupt", "recursion": "RecursionError", "group": "ValueError",
        "cancel": "asyncio.exceptions.CancelledError",
    }[how]  # fmt: skip


def test_an_async_action_in_a_sync_workflow_says_so(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        async def fetch() -> int:
            return 1

        @workflow("mixed-up")
        def mixed_up() -> int:
            return fetch()
        """
    )
    run = rig.run_through("mixed-up")
    assert run.error is not None
    assert "async action fetch was called in the sync workflow mixed-up" in run.error["message"]


def test_a_record_waits_for_a_database_that_is_away_and_is_made_once(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(GATHERED)
    answers = iter(["committed, not answered", "away", "there"])

    def record_while_away(database, lease, step, settings, usage=()):  # type: ignore[no-untyped-def]
        answer = next(answers, "there")
        if answer != "away":
            record_step(database, lease, step, settings, usage)
        if answer != "there":
            raise DatabaseUnavailable(why="restarting")

    monkeypatch.setattr(ledger, "record_step", record_while_away)
    run_id = rig.start("mapped")
    assert isinstance(rig.attempt(), Completed)
    assert len(rig.steps(run_id)) == len(rig.calls) == 7


def test_a_draining_worker_does_not_wait_for_the_database(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(GATHERED)
    gate = InterruptGate()

    def record_while_away(*_: object) -> None:
        gate.interrupt(Interruption.DRAIN)
        raise DatabaseUnavailable(why="gone")

    monkeypatch.setattr(ledger, "record_step", record_while_away)
    rig.start("gathered")
    with pytest.raises(DatabaseUnavailable):
        rig.attempt(gate=gate)
