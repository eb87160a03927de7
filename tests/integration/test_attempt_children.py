"""A run with children, attempt by attempt: what is started once, waited for together, and read from the record later."""

from __future__ import annotations

from keystroke.domain.outcome import Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepKind, StepStatus
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
