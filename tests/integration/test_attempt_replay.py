"""Replays attempt by attempt: from whichever step, the run ends the same, and only what is not copied is executed."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.asking import AskingStatus
from keystroke.domain.run import Run
from keystroke.domain.states import Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.operations.answer_hook import answer_by_id
from keystroke.operations.wake_due import wake_due
from keystroke.store import answers
from keystroke.store.lineage import list_children
from support.attempts import MakeRig, Rig
from support.replays import replay

EVERYTHING = """
    @action
    def note(tag: str) -> str:
        CALLS.append(tag)
        if tag == "declined":
            raise Fatal("no money")
        return f"{tag} done"

    @action
    def special(tag: str) -> str:
        CALLS.append(tag)
        return tag

    @action
    async def fetch(tag: str) -> str:
        await asyncio.sleep(0.02 if tag == "slow" else 0)
        return note(tag)

    def declined() -> str:
        try:
            return note("declined")
        except Fatal as error:
            return f"caught {error}"

    @workflow("charge")
    def charge(card: str) -> str:
        return note(f"charge {card}")

    @workflow("line")
    def line(ctx: Context) -> list:
        seen = [note("first"), str(ctx.random()), str(ctx.uuid())]
        ctx.usage.add("service", "shop", cost="1.50")
        seen += ctx.map(note, ["m0", "m1", "m2"], concurrency=2)
        ctx.sleep(3600)
        hook = ctx.hook("approval", schema=str)
        note("mail the link")
        seen.append(hook.wait())
        seen.append(charge.run("one"))
        handle = charge.start("two")
        seen += [note("meanwhile"), handle.result(), declined(), str(ctx.random())]
        return [*seen, note("last")]

    @workflow("branches")
    async def branches(ctx: AsyncContext) -> list:
        async def asks() -> str:
            hook = await ctx.hook("approval", schema=str)
            return await hook.wait() + await fetch("after the answer")

        async def sleeps() -> str:
            await ctx.sleep(1800)
            return await fetch("after the sleep")

        async def charges() -> str:
            return await charge.run("one") + await fetch("after the child")

        async def works() -> str:
            return await fetch("slow") + await fetch("quick")

        seen = [await fetch("first"), str(await ctx.random())]
        seen += await asyncio.gather(asks(), sleeps(), charges(), works())
        return [*seen, *await ctx.map(fetch, ["m0", "m1"]), await fetch("last")]

    @workflow("greets")
    def greets(name: str, ctx: Context) -> str:
        ctx.tags["greeted"] = name
        greeting = note(f"hello {name}")
        print(f"said to {name}")
        if name == "Bob":
            special("only for Bob")
        goodbye = note(f"goodbye {name}")
        print(f"{name} is gone")
        ctx.tags["gone"] = name
        return greeting + goodbye
"""


def drive(rig: Rig, run_id: str) -> Run:
    """Go on with all runs until this one has ended: attempts, answers, and time where nothing else is left."""
    for _ in range(100):
        wake_due(rig.database)
        lease = rig.stage.claim()
        if lease is not None:
            rig.attempt(lease)
        elif rig.run(run_id).status.terminal:
            return rig.run(run_id)
        elif not answer(rig):
            rig.advance(4000)
    raise AssertionError(f"{run_id} has not ended")


def answer(rig: Rig) -> bool:
    """Answer what waits for an answer."""
    with rig.database.read() as tx:
        waiting = answers.list_hooks(rig.stage.scope, tx, status=AskingStatus.WAITING, limit=10)
    for each in waiting:
        answer_by_id(
            rig.database, rig.stage.scope, each.hook.id, "yes", LOCAL_OWNER, None, rig.settings, rig.stage.box
        )
    return bool(waiting)


def executed(rig: Rig, run_id: str) -> Counter[str]:
    """The tags of the actions that a run and its children have on record as their own."""
    with rig.database.read() as tx:
        children = [run.id for run in list_children(rig.stage.scope, tx, run_id).runs]
    steps = [step for each in (run_id, *children) for step in rig.steps(each).values()]
    return Counter(
        step.input["tag"] for step in steps if step.key in ("note", "fetch") and not step.copied_from
    )


def over(steps: dict[str, Step]) -> set[str]:
    return {identity for identity, step in steps.items() if step.status is not StepStatus.RUNNING}


@pytest.mark.parametrize("workflow", ["line", "branches"])
def test_from_every_step_it_ends_the_same_and_only_the_rest_is_executed(
    make_rig: MakeRig, workflow: str
) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start(workflow))
    assert source.status is Status.SUCCESS, source.error
    recorded = rig.steps(source.id)
    assert over(recorded) == set(recorded)
    for from_step, named in recorded.items():
        rig.calls.clear()
        run_id = replay(rig.stage, source.id, from_step).run_id
        copied = rig.steps(run_id)
        assert from_step not in copied
        before = {each for each, step in recorded.items() if step.started_at < named.started_at}
        hooks = {each for each, step in recorded.items() if step.kind is StepKind.HOOK}
        assert before - hooks <= set(copied) <= before
        run = drive(rig, run_id)
        assert run.output == source.output, from_step
        assert set(rig.steps(run_id)) == set(recorded)
        assert Counter(rig.calls) == executed(rig, run_id), from_step
        assert {each: rig.steps(run_id)[each] for each in copied if each in over(copied)} == {
            each: step for each, step in copied.items() if each in over(copied)
        }


def test_what_is_copied_where(make_rig: MakeRig) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start("line"))
    mapped = {f"map#0.{number}/note#0" for number in range(3)}
    copied = {
        "sleep#0": {"note#0", "usage.add#0", *mapped},
        "note#1": {"note#0", "usage.add#0", *mapped, "sleep#0"},
        "run:charge#0": {"note#0", "usage.add#0", *mapped, "sleep#0", "hook:approval#0", "note#1"},
    }
    for from_step, expected in copied.items():
        assert set(rig.steps(replay(rig.stage, source.id, from_step).run_id)) == expected
    steps = rig.steps(replay(rig.stage, source.id, "note#4").run_id)
    assert {"run:charge#0", "run:charge#1", "note#3", "hook:approval#0"} < set(steps)
    assert (steps["hook:approval#0"].output, steps["run:charge#0"].output) == ("yes", "charge one done")
    assert (steps["note#3"].error or {})["message"] == "no money"


def test_a_replay_of_a_replay_goes_on_from_its_copies(make_rig: MakeRig) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start("line"))
    once = drive(rig, replay(rig.stage, source.id, "run:charge#0").run_id)
    rig.calls.clear()
    twice = drive(rig, replay(rig.stage, once.id, "note#4").run_id)
    assert (twice.output, rig.calls) == (source.output, ["last"])
    thrice = drive(rig, replay(rig.stage, once.id, "sleep#0").run_id)
    assert thrice.output == source.output
    assert rig.calls.count("first") == 0
    assert {step.copied_from for step in rig.steps(thrice.id).values()} == {None, once.id}


def test_usage_is_not_copied(make_rig: MakeRig) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start("line"))
    assert source.total_cost == Decimal("1.5")
    assert drive(rig, replay(rig.stage, source.id, "sleep#0").run_id).total_cost == 0
    assert drive(rig, replay(rig.stage, source.id, "usage.add#0").run_id).total_cost == Decimal("1.5")
    assert drive(rig, replay(rig.stage, source.id).run_id).total_cost == Decimal("1.5")


def test_all_of_it_is_executed_with_chance_of_its_own(make_rig: MakeRig) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start("line"))
    calls: list[Any] = list(rig.calls)
    rig.calls.clear()
    again = drive(rig, replay(rig.stage, source.id).run_id)
    assert Counter(rig.calls) == Counter(calls)
    assert again.output[0] == source.output[0]
    assert again.output[1] != source.output[1]


def test_with_an_edited_input_copies_keep_the_results_of_the_old_one(make_rig: MakeRig) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start("greets", "Ada"))
    rig.calls.clear()
    run = drive(rig, replay(rig.stage, source.id, "note#1", input="Bob").run_id)
    assert run.output == "hello Ada donegoodbye Bob done"
    assert rig.calls == ["only for Bob", "goodbye Bob"]
    assert run.tags == {"greeted": "Bob", "gone": "Bob"}
    whole = drive(rig, replay(rig.stage, source.id, input="Bob").run_id)
    assert (whole.output, whole.tags) == ("hello Bob donegoodbye Bob done", {"greeted": "Bob", "gone": "Bob"})


def test_a_failed_run_is_mended_by_a_replay_from_the_failed_step(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def first() -> str:
            CALLS.append("first")
            return "first"

        @action
        def fragile() -> str:
            CALLS.append("fragile")
            if CALLS.count("fragile") == 1:
                raise ConnectionError("the bank is away")
            return "paid"

        @workflow("pay")
        def pay() -> str:
            return first() + fragile()
        """
    )
    source = drive(rig, rig.start("pay"))
    assert source.status is Status.FAILED
    run = drive(rig, replay(rig.stage, source.id, "failed").run_id)
    assert (run.status, run.output) == (Status.SUCCESS, "firstpaid")
    assert rig.calls == ["first", "fragile", "fragile"]


def test_copies_that_the_code_passes_by_do_not_silence_it(make_rig: MakeRig) -> None:
    rig = make_rig(EVERYTHING)
    source = drive(rig, rig.start("greets", "Bob"))
    run = drive(rig, replay(rig.stage, source.id, "note#1", input="Ada").run_id)
    assert set(rig.steps(run.id)) == {"note#0", "special#0", "note#1"}
    assert run.output == "hello Bob donegoodbye Ada done"
    assert [line.body for line in rig.logs(run.id)] == ["Ada is gone"]
    assert run.tags == {"greeted": "Ada", "gone": "Ada"}
