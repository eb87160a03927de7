"""A run with children, attempt by attempt: what is started once, waited for together, and read from the record later."""

from __future__ import annotations

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.outcome import Canceled, Failed, Suspended
from keystroke.domain.recorded_run import RecordedRun
from keystroke.domain.run import Run
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepKind, StepStatus
from keystroke.errors import DatabaseUnavailable
from keystroke.execution import ledger
from keystroke.execution.gate import InterruptGate, Interruption
from keystroke.execution.rehearsal import Matches, rehearse
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.start_child import start_child
from keystroke.operations.wake_due import wake_due
from keystroke.store.lineage import list_children
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
    assert rig.run_queued() == ["charge-card", "one"]
    run = rig.run(run_id)
    assert (run.status, run.output, run.attempt) == (Status.SUCCESS, 42, 2)
    settled = rig.steps(run_id)["run:charge-card#0"]
    assert (settled.status, settled.output, settled.child_run_id) == (StepStatus.SUCCESS, 42, child.id)
    assert [line.body for line in rig.logs(run_id)] == ["before", "after", "end"]


def test_the_child_joins_the_trace_of_its_parent(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("one")
    rig.run_queued()
    step = rig.steps(run_id)["run:charge-card#0"]
    assert rig.run(step.child_run_id or "").trace_id == rig.run(run_id).trace_id
    mine = {span.name: span for span in rig.spans(run_id)}
    theirs = {span.name: span for span in rig.spans(step.child_run_id or "")}
    assert theirs["charge-card"].parent_id == mine["run:charge-card#0"].span_id
    assert mine["run:charge-card#0"].attributes["keystroke.child_run_id"] == step.child_run_id


def test_a_fan_out_waits_once_and_replays_from_the_record(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("fan-out")
    assert rig.run_queued() == ["fan-out", *["charge-card"] * 5, "fan-out"]
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
    attempted = rig.run_queued()
    assert attempted.count("charge-card") == 7
    assert rig.run(run_id).output == [0, 2, 4, 6, 14, 16, 200]


def test_children_in_the_threads_of_a_map_wait_side_by_side(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("mapped")
    outcome = rig.attempt()
    assert isinstance(outcome, Suspended)
    assert {name for name, _ in outcome.children} == {f"map#0.{at}/wait" for at in range(3)}
    rig.run_queued()
    assert rig.run(run_id).output == [2, 4, 6]


def test_a_childs_failure_is_the_same_live_and_on_replay(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("broken", True)
    rig.run_queued()
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
    rig.run_queued()
    run = rig.run(run_id)
    assert (run.status, run.status_reason) == (Status.FAILED, Reason.USER_ERROR)
    assert run.error is not None
    child = rig.steps(run_id)["run:charge-card#0"].child_run_id
    assert run.error["message"] == f"charge-card ({child}) failed: ValueError: -1 cents"
    assert run.error["step"] == "run:charge-card#0"
    assert [frame["function"] for frame in run.error["stack"]] == ["broken", "charge_card"]


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
    rig.run_queued()
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
        rig.run_queued()
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
    rig.run_queued()
    assert rig.run(run_id).output == 42
    with rig.database.read() as tx:
        assert list_children(rig.stage.scope, tx, run_id).total == 1


def test_a_canceled_child_is_a_failure_with_that_status(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("broken", True)
    rig.attempt()
    child = rig.steps(run_id)["run:charge-card#0"].child_run_id or ""
    cancel_run(rig.database, rig.stage.scope, child, LOCAL_OWNER, rig.settings)
    rig.run_queued()
    assert rig.run(run_id).output == "caught"
    assert rig.calls[0] == ("charge-card", "canceled", "", "", f"charge-card ({child}) canceled")


def test_a_child_that_a_limit_skips_is_canceled_at_once(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from keystroke import Concurrency

        @workflow("single", concurrency=Concurrency(1, policy="skip"))
        def single(number: int) -> int:
            return number

        @workflow("two")
        def two(ctx: Context) -> list[str]:
            handles = [single.start(number) for number in range(2)]
            ctx.wait(handles)
            seen = []
            for handle in handles:
                try:
                    seen.append(str(handle.result()))
                except ChildFailed as failed:
                    seen.append(failed.status)
            return seen
        """
    )
    run_id = rig.start("two")
    rig.run_queued()
    assert rig.run(run_id).output == ["0", "canceled"]


def test_the_failure_of_one_branch_leaves_the_children_of_others_going(make_rig: MakeRig) -> None:
    rig = make_rig(
        FAMILY
        + """
    @workflow("partly")
    async def partly() -> None:
        await asyncio.gather(charge_card.run(-1), charge_card.run(1))
    """
    )
    run_id = rig.start("partly")
    rig.attempt()
    failing = rig.claim()
    rig.attempt(failing)
    parent = rig.stage.claim()
    while parent is not None and parent.run_id != run_id:
        parent = rig.stage.claim()
    assert parent is not None
    assert isinstance(rig.attempt(parent), Failed)
    statuses = [child.status for child in _children(rig, run_id)]
    assert [status for status in statuses if status.terminal] == [Status.FAILED]


def _children(rig: Rig, run_id: str) -> list[Run]:
    with rig.database.read() as tx:
        return list_children(rig.stage.scope, tx, run_id).runs


def test_a_run_that_waits_for_a_child_is_rehearsed_up_to_there(make_rig: MakeRig) -> None:
    rig = make_rig(FAMILY)
    run_id = rig.start("one")
    rig.attempt()
    run = rig.run(run_id)
    steps = tuple(rig.steps(run_id).values())
    recorded = RecordedRun(run.id, run.workflow, run.status, run.attempt, run.input, True, "seed", steps)
    assert rehearse(rig.project, recorded, rig.stage.box) == Matches(None)
    assert len(_children(rig, run_id)) == 1
