"""A run with children, attempt by attempt: what is started once, waited for together, and read from the record later."""

from __future__ import annotations

import pytest

from keystroke.domain.outcome import Canceled, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepKind, StepStatus
from keystroke.errors import DatabaseUnavailable, OutsideOfRun
from keystroke.execution import ledger
from keystroke.execution.gate import InterruptGate, Interruption
from keystroke.operations.start_child import start_child
from keystroke.operations.wake_due import wake_due
from keystroke.store.lineage import list_children
from keystroke.store.sql import Sql
from support.attempts import MakeRig, Rig

FAMILY = """
    @workflow("charge-card")
    def charge_card(cents: int) -> int:
        if cents < 0:
            raise ValueError(f"{cents} cents")
        return cents * 2

    @action
    def note(text: str) -> str:
        CALLS.append(text)
        return text

    @workflow("one")
    def one(ctx: Context) -> int:
        print("before")
        doubled = charge_card.run(21, tags={"tier": "gold"})
        print("after")
        note(f"got {doubled}")
        print("end")
        return doubled

    @workflow("fan-out")
    def fan_out(ctx: Context) -> list[int]:
        handles = [charge_card.start(cents) for cents in range(5)]
        note("started")
        ctx.wait(handles)
        note("waited")
        return [handle.result() for handle in handles]

    @workflow("gathered")
    async def gathered(ctx: AsyncContext) -> list[int]:
        started = await charge_card.start(100)
        results = await asyncio.gather(*(charge_card.run(cents) for cents in range(4)), ctx.map(charge_card.run, [7, 8]))
        await ctx.wait([started])
        return [*results[:4], *results[4], await started.result()]

    @workflow("mapped")
    def mapped(ctx: Context) -> list[int]:
        return ctx.map(charge_card.run, [1, 2, 3], concurrency=3)

    @workflow("broken")
    def broken(catch: bool = False) -> str:
        try:
            return str(charge_card.run(-1))
        except ChildFailed as failed:
            CALLS.append((failed.workflow, failed.status, failed.type, failed.message, str(failed)))
            if not catch:
                raise
            note("caught")
            return "caught"
"""


def _run_through(rig: Rig, run_id: str) -> list[str]:
    """Attempt whatever is queued until nothing is; the workflows in the order of their attempts."""
    attempted = []
    while (lease := rig.stage.claim()) is not None:
        attempted.append(lease.workflow)
        rig.attempt(lease)
    return attempted


def test_a_child_is_run_and_its_output_is_the_result(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("one")
    assert isinstance(rig.attempt(), Suspended)
    assert rig.run(run_id).status_reason is Reason.CHILD_RUNS
    step = rig.steps(run_id)["run:charge-card#0"]
    assert (step.kind, step.status, step.name, step.input) == (
        StepKind.WORKFLOW,
        StepStatus.RUNNING,
        "charge_card",
        21,
    )
    child = rig.run(step.child_run_id or "")
    assert (child.parent_run_id, child.tags, child.input) == (run_id, {"tier": "gold"}, 21)
    assert _run_through(rig, run_id) == ["charge-card", "one"]
    run = rig.run(run_id)
    assert (run.status, run.output, run.attempt) == (Status.SUCCESS, 42, 2)
    settled = rig.steps(run_id)["run:charge-card#0"]
    assert (settled.status, settled.output, settled.child_run_id) == (StepStatus.SUCCESS, 42, child.id)
    assert [line.body for line in rig.logs(run_id)] == ["before", "after", "end"]


def test_the_child_joins_the_trace_of_its_parent(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("one")
    _run_through(rig, run_id)
    step = rig.steps(run_id)["run:charge-card#0"]
    assert rig.run(step.child_run_id or "").trace_id == rig.run(run_id).trace_id
    mine = {span.name: span for span in rig.spans(run_id)}
    theirs = {span.name: span for span in rig.spans(step.child_run_id or "")}
    assert theirs["charge-card"].parent_id == mine["run:charge-card#0"].span_id
    assert mine["run:charge-card#0"].attributes["keystroke.child_run_id"] == step.child_run_id


def test_a_fan_out_waits_once_and_replays_from_the_record(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("fan-out")
    assert _run_through(rig, run_id) == ["fan-out", *["charge-card"] * 5, "fan-out"]
    assert rig.run(run_id).output == [0, 2, 4, 6, 8]
    assert rig.calls == ["started", "waited"]
    assert {identity: step.output for identity, step in rig.steps(run_id).items() if "run:" in identity} == {
        f"run:charge-card#{at}": at * 2 for at in range(5)
    }


def test_branches_wait_for_their_children_side_by_side(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("gathered")
    outcome = rig.attempt()
    assert isinstance(outcome, Suspended)
    assert len(outcome.children) == 6
    attempted = _run_through(rig, run_id)
    assert attempted.count("charge-card") == 7
    assert rig.run(run_id).output == [0, 2, 4, 6, 14, 16, 200]


def test_children_in_the_threads_of_a_map_wait_side_by_side(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("mapped")
    outcome = rig.attempt()
    assert isinstance(outcome, Suspended)
    assert {name for name, _ in outcome.children} == {f"map#0.{at}/wait" for at in range(3)}
    _run_through(rig, run_id)
    assert rig.run(run_id).output == [2, 4, 6]


def test_a_childs_failure_is_the_same_live_and_on_replay(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("broken", True)
    _run_through(rig, run_id)
    assert rig.run(run_id).output == "caught"
    child = rig.steps(run_id)["run:charge-card#0"].child_run_id
    told = (
        "charge-card",
        "failed",
        "ValueError",
        "-1 cents",
        f"charge-card ({child}) failed: ValueError: -1 cents",
    )
    assert rig.calls == [told, "caught"]


def test_a_childs_failure_that_is_not_caught_fails_the_parent_and_names_it(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("broken", False)
    _run_through(rig, run_id)
    run = rig.run(run_id)
    assert (run.status, run.status_reason) == (Status.FAILED, Reason.USER_ERROR)
    assert run.error is not None
    child = rig.steps(run_id)["run:charge-card#0"].child_run_id
    assert run.error["message"] == f"charge-card ({child}) failed: ValueError: -1 cents"
    assert run.error["step"] == "run:charge-card#0"
    assert [frame["function"] for frame in run.error["stack"]] == ["broken", "charge_card"]


def test_a_child_that_cannot_be_started_fails_its_step_for_good(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        def unpublished() -> int:
            return 1

        @workflow("strict-input")
        def strict_input(name: str) -> str:
            return name

        @workflow("starting", max_attempts=2)
        def starting(wish: str) -> str:
            try:
                if wish == "unknown":
                    workflow("unknown-one")(unpublished).start()
                else:
                    strict_input.start("Ada", tags={"k" * 1000: "v"})
            except ChildFailed as failed:
                CALLS.append(str(failed))
                return failed.status
            return "started"
        """
    )
    for wish, told in (
        ("unknown", "WorkflowNotFound: There is no"),
        ("tags", "InvalidInput: The input does not fit"),
    ):
        run = rig.run_through("starting", wish)
        assert run.output == "refused"
        assert f"was not started: {told}" in rig.calls.pop()
        [step] = rig.steps(run.id).values()
        assert (step.status, step.child_run_id) == (StepStatus.FAILED, None)


def test_an_input_that_does_not_fit_is_refused_before_anything_is_started(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("typed")
        def typed(number: int) -> int:
            return number

        @workflow("misfit")
        def misfit() -> None:
            typed.start("many")
        """
    )
    run = rig.run_through("misfit")
    assert run.error is not None
    assert run.error["message"].startswith("The input of typed does not fit int")
    assert rig.steps(run.id) == {}


def test_children_are_started_in_the_code_of_a_workflow_alone(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from concurrent.futures import ThreadPoolExecutor

        @workflow("leaf")
        def leaf() -> int:
            return 1

        @action
        def inside(how: str) -> str:
            try:
                leaf.start()
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            return "started"

        @workflow("where")
        def where(ctx: Context) -> list[str]:
            with ThreadPoolExecutor(1) as pool:
                foreign = pool.submit(leaf.run)
            handle = leaf.start(key="k")
            wrong = []
            for call in (lambda: ctx.wait([handle.run_id]), lambda: leaf.start(key=""), lambda: leaf.start(tags={"a": 1})):
                try:
                    call()
                except Exception as error:
                    wrong.append(type(error).__name__)
            return [inside("x"), str(foreign.exception()), *wrong]
        """
    )
    run = rig.run_through("where")
    assert run.status is Status.SUCCESS, run.error
    inside, foreign, *wrong = run.output
    assert inside.startswith("WaitInAction: leaf.start was called inside of an action")
    assert foreign.startswith("leaf.run was called in a thread that the workflow started itself")
    assert wrong == ["TypeError", "ValueError", "TypeError"]
    leaf = rig.project.workflows["leaf"]
    with pytest.raises(OutsideOfRun, match=r"leaf\.start works inside of a run only"):
        leaf.start()
    assert leaf() == 1


CHANGED = """
    @workflow("leaf")
    def leaf(text: str) -> str:
        return text

    @action
    def before() -> int:
        return 1

    @workflow("changing", max_attempts=2, backoff=Backoff(first=0.001))
    def changing(ctx: Context) -> str:
        how = "first" if ctx.attempt == 1 else CALLS[0]
        before()
        if how == "action":
            before()
        handle = leaf.start("two" if how == "input" else "one", key="other" if how == "key" else "one")
        if ctx.attempt == 1:
            raise ValueError
        return handle.result()
"""


@pytest.mark.parametrize("how", ["input", "key"])
def test_a_child_that_is_not_the_one_on_record_is_nondeterminism(make_rig: MakeRig, how: str) -> None:
    rig = make_rig(CHANGED)
    rig.calls.append(how)
    run = rig.run_through("changing")
    assert (run.status, run.status_reason) == (Status.FAILED, Reason.NONDETERMINISM)
    assert run.error is not None
    assert "step run:leaf#0 does not match its record" in run.error["message"]
    actual = {
        "input": 'workflow run:leaf("two")',
        "key": 'workflow run:leaf("one") (another secret, or a child\'s key)',
    }
    assert run.error["message"].endswith(f"actual:   {actual[how]}")


def test_another_step_in_front_of_a_child_does_not_matter(make_rig: MakeRig) -> None:
    rig = make_rig(CHANGED)
    rig.calls.append("action")
    assert rig.run_through("changing").output == "one"


def test_the_secrets_of_a_childs_input_and_output_stay_sealed(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from pydantic import BaseModel, SecretStr

        class Login(BaseModel):
            name: str
            password: SecretStr

        @workflow("log-in")
        def log_in(login: Login) -> Login:
            CALLS.append(login.password.get_secret_value())
            return login

        @workflow("parent")
        def parent() -> str:
            login = log_in.run(Login(name="ada", password="hunter2"))
            CALLS.append(login.password.get_secret_value())
            return login.name
        """
    )
    run_id = rig.start("parent")
    _run_through(rig, run_id)
    assert rig.run(run_id).output == "ada"
    assert rig.calls == ["hunter2", "hunter2"]
    [step] = rig.steps(run_id).values()
    child = rig.run(step.child_run_id or "")
    for recorded in (step.input, step.output, child.input, child.output):
        assert list(recorded["password"]) == ["$sealed"]
    with rig.database.read() as tx:
        texts = [row.body for row in tx.rows(Sql("select body from run_payloads"))]
    assert not any("hunter2" in text for text in texts)


def test_a_key_takes_the_run_that_has_it(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("leaf")
        def leaf(text: str) -> str:
            CALLS.append(text)
            return f"{text}!"

        @workflow("keyed")
        def keyed() -> list[bool | str]:
            handles = [leaf.start("once", key="k"), leaf.start("once", key="k")]
            return [handles[0].run_id == handles[1].run_id, *(handle.result() for handle in handles)]
        """
    )
    first, other = rig.start("keyed"), rig.start("keyed")
    _run_through(rig, first)
    assert rig.run(first).output == rig.run(other).output == [True, "once!", "once!"]
    assert rig.calls == ["once"]


def test_a_run_that_failed_after_its_children_goes_on_from_their_record(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("leaf")
        def leaf(number: int) -> int:
            CALLS.append(number)
            return number

        @workflow("retried", max_attempts=3, backoff=Backoff(first=0.001))
        def retried(ctx: Context) -> int:
            total = sum(leaf.run(number) for number in (1, 2))
            if ctx.attempt < 4:
                raise ConnectionError
            return total
        """
    )
    run_id = rig.start("retried")
    for _ in range(4):
        _run_through(rig, run_id)
        rig.advance(60)
        wake_due(rig.database)
    run = rig.run(run_id)
    assert (run.status, run.output, run.failures) == (Status.SUCCESS, 3, 1)
    assert rig.calls == [1, 2]


def test_a_canceled_run_starts_and_awaits_no_children(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("leaf")
        def leaf() -> int:
            return 1

        @workflow("cleaning")
        def cleaning(ctx: Context) -> None:
            try:
                CALLS[0]()
            finally:
                for call in (leaf.start, leaf.run, lambda: ctx.wait([])):
                    try:
                        call()
                    except RunCanceled:
                        CALLS.append("refused")
        """
    )
    gate = InterruptGate()
    rig.calls.append(lambda: gate.interrupt(Interruption.CANCEL))
    run_id = rig.start("cleaning")
    assert isinstance(rig.attempt(gate=gate), Canceled)
    assert rig.calls[1:] == ["refused"] * 3
    assert rig.steps(run_id) == {}


@pytest.mark.parametrize("lost", ["answer", "all"])
def test_a_start_whose_answer_is_lost_is_made_once(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    rig = make_rig(FAMILY)
    calls = []

    def start_away(*arguments):  # type: ignore[no-untyped-def]
        calls.append(1)
        if lost == "answer" or len(calls) > 1:
            started = start_child(*arguments)
        if len(calls) == 1:
            raise DatabaseUnavailable(why="restarting")
        return started

    monkeypatch.setattr(ledger, "start_child", start_away)
    run_id = rig.start("one")
    _run_through(rig, run_id)
    assert rig.run(run_id).output == 42
    with rig.database.read() as tx:
        assert list_children(rig.stage.scope, tx, run_id).total == 1
