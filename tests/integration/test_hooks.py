"""Hooks: a run asks, rests, and goes on with the validated answer, or with the timeout; the same at every replay."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keystroke.box import Box
from keystroke.domain.actor import SYSTEM
from keystroke.domain.outcome import Completed, Failed, Suspended
from keystroke.domain.states import DUE, Reason, Status
from keystroke.domain.step import StepKind, StepStatus
from keystroke.errors import HookAnswered, HookExpired, InvalidAnswer
from keystroke.operations.answer_hook import answer_by_token
from keystroke.operations.moving import move_run
from keystroke.store import answers
from keystroke.store.hooks import Hook
from support.attempts import MakeRig, Rig

ASKING = """
    from datetime import timedelta
    from typing import Annotated
    from pydantic import AfterValidator, BaseModel, Field, SecretStr
    from keystroke import Hook, HookTimeout

    class Decision(BaseModel):
        approved: bool
        note: str = "none"

    def even(number: int) -> int:
        if number % 2:
            raise ValueError("it is odd")
        return number

    @action
    def send(url: str) -> str:
        CALLS.append(url)
        return url

    @workflow("asking")
    def asking(ctx: Context) -> str:
        hook = ctx.hook("approval", schema=Decision, timeout="3d")
        CALLS.append(hook.token)
        send("sent")
        decision = hook.wait()
        return f"{type(decision).__name__} {decision.approved} {decision.note}"

    @workflow("asking-async")
    async def asking_async(ctx: AsyncContext) -> str:
        hook = await ctx.hook("approval", schema=Decision, timeout="3d")
        CALLS.append(hook.token)
        send("sent")
        decision = await hook.wait()
        return f"{type(decision).__name__} {decision.approved} {decision.note}"

    @workflow("late", max_attempts=5)
    def late(ctx: Context) -> str:
        ctx.hook("approval", timeout=60).wait()
        return "answered"

    @workflow("late-but-well")
    def late_but_well(ctx: Context) -> list[str]:
        hook, seen = ctx.hook("approval", timeout=60), []
        for _ in range(2):
            try:
                hook.wait()
            except HookTimeout as error:
                seen.append(f"{error} {error.hook} {error.step}")
        ctx.sleep(10)
        return seen

    @workflow("twice")
    def twice(ctx: Context) -> list:
        first, second = ctx.hook("approval"), ctx.hook("approval")
        CALLS.extend([first.token, second.token])
        return [second.wait(), first.wait(), second.wait()]

    @workflow("anything")
    def anything(ctx: Context) -> list:
        return [ctx.hook("text", schema=str).wait(), ctx.hook("any").wait(), ctx.hook("n", schema=int | None).wait()]

    @workflow("even")
    def even_only(ctx: Context) -> str:
        hook = ctx.hook("number", schema=Annotated[int, AfterValidator(even), Field(json_schema_extra={"odd": ["no"]})])
        try:
            return str(hook.wait())
        except Exception as error:
            ctx.sleep(1)
            return f"{type(error).__name__}: {error}"

    @workflow("secret")
    def secret(ctx: Context) -> str:
        class Login(BaseModel):
            password: SecretStr
        return ctx.hook("login", schema=Login).wait().password.get_secret_value()

    @workflow("unnamed")
    def unnamed(name: str, ctx: Context) -> None:
        ctx.hook(name)

    @workflow("unused")
    def unused(ctx: Context) -> str:
        hook = ctx.hook("approval")
        return send(hook.url)

    @workflow("sent")
    def sent(ctx: Context) -> list[str]:
        hook = ctx.hook("approval")
        links = [send(hook.url)]
        hook.wait()
        return [*links, hook.url]

    @workflow("in-branches")
    async def in_branches(ctx: AsyncContext) -> list:
        async def one(number: int) -> str:
            hook = await ctx.hook("vote", schema=str)
            return f"{number} {await hook.wait()}"
        return await asyncio.gather(*(one(number) for number in range(3)))

    @workflow("in-threads")
    def in_threads(ctx: Context) -> list:
        def one(number: int) -> str:
            return f"{number} {ctx.hook('vote', schema=str).wait()}"
        return ctx.map(one, range(3), concurrency=3)
"""


def token_of(rig: Rig, run_id: str, step: str) -> str:
    return rig.stage.box.hook_token(run_id, step)


def answer(rig: Rig, run_id: str, value: Any, step: str = "hook:approval#0") -> None:
    token = token_of(rig, run_id, step)
    answer_by_token(rig.database, token, value, "203.0.113.7", rig.settings, rig.stage.box)


def hook_of(rig: Rig, run_id: str, step: str = "hook:approval#0") -> Hook:
    with rig.database.read() as tx:
        asking = answers.hook_by_token(tx, hashlib.sha256(token_of(rig, run_id, step).encode()).hexdigest())
        assert asking is not None
        return asking.hook


@pytest.mark.parametrize("workflow", ["asking", "asking-async"])
def test_a_run_waits_for_the_answer(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start(workflow)
    suspended = rig.attempt()
    assert isinstance(suspended, Suspended)
    hook = hook_of(rig, run_id)
    assert (suspended.reason, suspended.hooks) == (Reason.HOOK, (hook.id,))
    run = rig.run(run_id)
    assert (run.status, run.status_reason) == (Status.WAITING_ON_HOOK, Reason.HOOK)
    assert hook.schema["properties"].keys() == {"approved", "note"}
    assert hook.expires_at is not None
    assert hook.expires_at - hook.created_at == timedelta(days=3)
    assert hook.awaited is True
    step = rig.steps(run_id)["hook:approval#0"]
    assert (step.kind, step.name, step.status) == (StepKind.HOOK, "approval", StepStatus.RUNNING)
    base = "http://127.0.0.1:3002"
    assert step.input == {"hook": hook.id, "key_id": rig.stage.box.key_id, "base": base}
    rig.advance(86_400)
    assert rig.stage.claim() is None
    answer(rig, run_id, {"approved": True})
    assert rig.attempt() == Completed("Decision True none")
    token = token_of(rig, run_id, "hook:approval#0")
    assert rig.calls == [token, "sent", token]
    step = rig.steps(run_id)["hook:approval#0"]
    assert (step.status, step.output) == (StepStatus.SUCCESS, {"approved": True, "note": "none"})


def test_an_answer_that_comes_before_the_wait_is_used(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("asking")
    rig.attempt()
    with rig.database.transaction() as tx:
        assert move_run(tx, DUE, run_id, actor=SYSTEM)
    answer(rig, run_id, {"approved": False, "note": "early"})
    assert rig.attempt() == Completed("Decision False early")
    with pytest.raises(HookAnswered):
        answer(rig, run_id, {"approved": True})


@pytest.mark.parametrize("workflow", ["late", "late-but-well"])
def test_nobody_answers_in_time(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start(workflow)
    suspended = rig.attempt()
    assert isinstance(suspended, Suspended)
    assert suspended.delay is not None
    assert timedelta(seconds=58) < suspended.delay <= timedelta(seconds=60)
    rig.advance(61)
    with pytest.raises(HookExpired):
        answer(rig, run_id, "too late")
    ended = rig.attempt()
    if workflow == "late":
        assert isinstance(ended, Failed)
        run = rig.run(run_id)
        assert (run.status, run.status_reason, run.attempt) == (Status.FAILED, Reason.HOOK_TIMEOUT, 2)
        assert run.error is not None
        assert run.error["message"] == "nobody answered the hook approval in time"
        assert run.error["step"] == "hook:approval#0"
    else:
        rig.advance(11)
        told = "nobody answered the hook approval in time approval hook:approval#0"
        assert rig.attempt() == Completed([told, told])
    assert hook_of(rig, run_id).status == "expired"
    step = rig.steps(run_id)["hook:approval#0"]
    assert step.error is not None
    assert (step.status, step.error["type"].rpartition(".")[2]) == (StepStatus.FAILED, "HookTimeout")


def test_hooks_of_one_name_are_two(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("twice")
    rig.attempt()
    assert len(set(rig.calls)) == 2
    answer(rig, run_id, 1)
    answer(rig, run_id, 2, "hook:approval#1")
    assert rig.attempt() == Completed([2, 1, 2])


def test_an_answer_to_a_hook_that_is_not_waited_for_wakes_nobody(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("twice")
    rig.attempt()
    answer(rig, run_id, 1)
    assert rig.run(run_id).status is Status.WAITING_ON_HOOK, "it waits for the second one first"
    assert rig.stage.claim() is None


def test_any_annotation_is_a_schema(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("anything")
    for step, value in (("hook:text#0", "yes"), ("hook:any#0", {"a": [1, None]}), ("hook:n#0", None)):
        assert isinstance(rig.attempt(), Suspended)
        answer(rig, run_id, value, step)
    assert rig.attempt() == Completed(["yes", {"a": [1, None]}, None])
    assert hook_of(rig, run_id, "hook:any#0").schema == {}


def test_what_only_the_code_can_refuse_fails_the_wait_the_same_every_time(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("even")
    rig.attempt()
    with pytest.raises(InvalidAnswer):
        answer(rig, run_id, "four", "hook:number#0")
    answer(rig, run_id, 3, "hook:number#0")
    assert isinstance(rig.attempt(), Suspended)
    rig.advance(2)
    ended = rig.attempt()
    assert isinstance(ended, Completed)
    assert ended.output.startswith("ActionFailed: hook:number#0 failed")
    assert "it is odd" in ended.output


def test_secrets_in_answers_are_sealed(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("secret")
    rig.attempt()
    answer(rig, run_id, {"password": "hunter2"}, "hook:login#0")
    assert rig.attempt() == Completed("hunter2")
    output = rig.steps(run_id)["hook:login#0"].output
    assert set(output["password"]) == {"$sealed"}


@pytest.mark.parametrize("name", ["", "two words", "a/b", "a#1", "hook:x"])
def test_names_of_hooks_are_bounded(make_rig: MakeRig, name: str) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("unnamed", name)
    rig.attempt()
    run = rig.run(run_id)
    assert run.error is not None
    assert run.error["message"].startswith("a hook is named with letters")


def test_the_token_outlives_a_change_of_the_secret(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("asking")
    rig.attempt()
    before = rig.stage.box
    rig.stage.box = Box(("a newer secret", "a secret for tests"))
    assert rig.stage.box.key_id != before.key_id
    with rig.database.transaction() as tx:
        assert move_run(tx, DUE, run_id, actor=SYSTEM)
    assert isinstance(rig.attempt(), Suspended)
    first, _, second = rig.calls
    assert first == second == before.hook_token(run_id, "hook:approval#0")
    answer_by_token(rig.database, first, {"approved": True}, None, rig.settings, rig.stage.box)
    assert rig.attempt() == Completed("Decision True none")


def test_the_link_outlives_a_change_of_the_public_address(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    rig.settings = replace(rig.settings, public_url="https://old.example/")
    run_id = rig.start("sent")
    assert isinstance(rig.attempt(), Suspended)
    rig.settings = replace(rig.settings, public_url="https://new.example")
    answer(rig, run_id, "yes")
    link = f"https://old.example/hooks/{token_of(rig, run_id, 'hook:approval#0')}"
    assert rig.attempt() == Completed([link, link])


def test_a_secret_that_is_gone_is_named(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("asking")
    rig.attempt()
    gone, rig.stage.box = rig.stage.box.key_id, Box(("a newer secret",))
    with rig.database.transaction() as tx:
        assert move_run(tx, DUE, run_id, actor=SYSTEM)
    rig.attempt()
    run = rig.run(run_id)
    assert run.error is not None
    assert gone in run.error["message"]


def test_a_hook_need_not_be_waited_for(make_rig: MakeRig) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start("unused")
    url = f"http://127.0.0.1:3002/hooks/{token_of(rig, run_id, 'hook:approval#0')}"
    assert rig.attempt() == Completed(url)


@pytest.mark.parametrize("workflow", ["in-branches", "in-threads"])
def test_branches_wait_for_answers_of_their_own(make_rig: MakeRig, workflow: str) -> None:
    rig = make_rig(ASKING)
    run_id = rig.start(workflow)
    suspended = rig.attempt()
    assert isinstance(suspended, Suspended)
    assert len(suspended.hooks) == 3
    branches = sorted(rig.steps(run_id))
    for number in (2, 0, 1):
        answer(rig, run_id, f"vote {number}", branches[number])
        ended = rig.attempt()
    assert ended == Completed([f"{number} vote {number}" for number in range(3)])
