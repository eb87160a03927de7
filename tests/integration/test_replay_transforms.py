"""Replays of runs behind a transform: with the input that it made, or by executing it again."""

from __future__ import annotations

from typing import Any

import pytest

from keystroke.domain.outcome import Failed
from keystroke.domain.states import Status
from support.replays import replay
from support.transformed import MakeTriggered, TriggeredRig

_FLOWS = """
    @action
    def pay(amount: int) -> int:
        CALLS.append("pay")
        return amount

    @workflow("bill", concurrency=Concurrency(1, key="{input.to}"))
    def bill(letter: dict, ctx: Context) -> list:
        paid = pay(letter["amount"])
        CALLS.append(ctx.trigger)
        if letter["to"] == "nobody":
            raise ValueError("nobody pays")
        return [letter["to"], paid]

    def to_bill(payload):
        CALLS.append("transform")
        return {"to": payload["to"], "amount": payload["amount"]}

    webhook("orders", "orders", verify=open_endpoint()).attach(bill, transform=to_bill)
"""
STEP = "transform:orders#0"


@pytest.fixture
def rig(make_triggered: MakeTriggered) -> TriggeredRig:
    """The project above."""
    return make_triggered(_FLOWS)


def _through(rig: TriggeredRig, run_id: str) -> list[Any]:
    before = len(rig.calls)
    rig.run_queued()
    assert rig.run(run_id).status.terminal
    return [each for each in rig.calls[before:] if isinstance(each, str)]


def _again(rig: TriggeredRig, run_id: str, *where: str, **how: Any) -> tuple[str, list[Any]]:
    again = replay(rig.stage, run_id, *where, **how).run_id
    return again, _through(rig, again)


def test_what_the_transform_made_is_the_input_of_a_replay(rig: TriggeredRig) -> None:
    run_id = rig.bring("orders", {"to": "ada", "amount": 2})
    assert _through(rig, run_id) == ["transform", "pay"]
    again, called = _again(rig, run_id)
    assert called == ["pay"]
    assert rig.run(again).output == ["ada", 2]
    told = rig.calls[-1]
    assert (told.type, told.value, told.id) == ("replay", f"replay:{run_id}", rig.run(run_id).trigger.id)
    assert told.payload == {"to": "ada", "amount": 2}
    edited, called = _again(rig, run_id, input={"to": "bob", "amount": 3})
    assert (called, rig.run(edited).output) == (["pay"], ["bob", 3])


def test_from_a_step_behind_it_and_from_its_own(rig: TriggeredRig) -> None:
    run_id = rig.bring("orders", {"to": "nobody", "amount": 2})
    _through(rig, run_id)
    behind, called = _again(rig, run_id, "pay#0")
    assert called == ["pay"]
    assert list(rig.steps(behind)) == [STEP, "pay#0"], "the transform's record is copied"
    again, called = _again(rig, behind, STEP)
    assert called == ["transform", "pay"]
    assert rig.steps(again)[STEP].copied_from is None
    assert rig.run(again).trigger.label == "Replay"


def test_a_transform_that_failed_is_executed_by_the_code_of_the_day(
    rig: TriggeredRig, make_triggered: MakeTriggered
) -> None:
    run_id = rig.bring("orders", {"to": "ada"})
    assert isinstance(rig.attempt(), Failed)
    for where in ((), (STEP,), ("failed",)):
        assert rig.run(_again(rig, run_id, *where)[0]).status is Status.FAILED
    edited, called = _again(rig, run_id, "failed", input={"to": "bob", "amount": 3})
    assert (called, rig.run(edited).output) == (["pay"], ["bob", 3])
    mended = make_triggered(_FLOWS.replace('payload["amount"]', 'payload.get("amount", 7)'))
    again = replay(mended.stage, replay(rig.stage, run_id).run_id).run_id
    mended.run_queued()
    assert mended.run(again).output == ["ada", 7]
    assert mended.run(again).attempt == 2, "admitted under its key"
