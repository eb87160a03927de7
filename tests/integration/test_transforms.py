"""Behind a transform: the first attempt makes the input as a recorded step, and admits the run with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from keystroke import crashpoints
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import Admitting, Canceled, Completed, Failed, HandedBack, Outcome
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepKind, StepStatus
from keystroke.errors import LeaseLost
from keystroke.execution.gate import InterruptGate, Interruption
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.recover_runs import recover_attempt
from keystroke.store import history
from support.limited import parked_on
from support.transformed import MakeTriggered, TriggeredRig

FLOWS = """
    class Lead(BaseModel):
        email: str
        name: str = "nobody"

    class Letter(BaseModel):
        to: str
        times: int = 1

    HOOK = []

    @action
    def look_up(email: str) -> str:
        CALLS.append("look_up")
        return email.upper()

    @workflow("write")
    def write(letter: Letter, ctx: Context) -> str:
        print("writing")
        CALLS.append(("write", letter.to, ctx.trigger.payload))
        return look_up(letter.to)

    @workflow("write-async")
    async def write_async(letter: Letter) -> str:
        return letter.to

    @workflow("one", concurrency=Concurrency(1, key="{input.to}"))
    def one(letter: Letter) -> str:
        return letter.to

    @workflow("skipped", concurrency=Concurrency(1, key="{input.to}", policy="skip"))
    def skipped(letter: Letter, ctx: Context) -> str:
        ctx.sleep("1h")

    @workflow("replaced", concurrency=Concurrency(1, key="{input.to}", policy="replace"))
    def replaced(letter: Letter, ctx: Context) -> str:
        ctx.sleep("1h")

    @workflow("paced", rate_limit=RateLimit(1, per="1h", key="{input.to}"))
    def paced(letter: Letter) -> str:
        return letter.to

    def to_letter(lead: Lead):
        CALLS.append("transform")
        print(f"transforming {lead.name}")
        for each in HOOK:
            each()
        if lead.name == "bad":
            return {"times": "many"}
        if lead.name == "broken":
            raise KeyError(lead.name)
        return {"to": lead.email, "more": look_up("unrecorded") and 1}

    def with_request(lead: Lead, request: Request):
        return {"to": f"{request.method} {request.headers['X-Event']} {request.query['page']} {request.remote_address}"}

    def with_tick(payload, tick: Tick):
        return Letter(to=f"{tick.scheduled_at:%H:%M} after {tick.previous_fire:%H:%M}, {tick.missed} missed")

    leads = webhook("leads", "leads", payload=Lead, verify=open_endpoint())
    for flow in (write, write_async, one, skipped, replaced, paced):
        leads.attach(flow, transform=to_letter)
    webhook("asks", "asks", payload=Lead, verify=open_endpoint()).attach(write, transform=with_request)
    schedule("nightly", "0 2 * * *").attach(write, transform=with_tick)
"""
ADA = {"email": "ada@example.com", "name": "Ada"}
STEP = "transform:leads#0"


@pytest.fixture
def rig(make_triggered: MakeTriggered) -> TriggeredRig:
    """The project above."""
    return make_triggered(FLOWS)


def _bring(rig: TriggeredRig, workflow: str = "write", **payload: Any) -> str:
    return rig.bring("leads", {**ADA, **payload}, workflow)


def _admit(rig: TriggeredRig, number: int) -> list[type[Outcome]]:
    """Claim so many runs, then make an attempt of each."""
    leases = [rig.claim() for _ in range(number)]
    return [type(rig.attempt(lease)) for lease in leases]


def _hook(rig: TriggeredRig) -> list[Any]:
    """What the transform calls."""
    hook: list[Any] = rig.project.workflows["write"].function.__globals__["HOOK"]
    return hook


def _while_transforming(rig: TriggeredRig, call: Callable[[], object]) -> None:
    """Have the transform call this."""
    _hook(rig).append(call)


def test_the_first_attempt_makes_the_input_and_goes_on(rig: TriggeredRig) -> None:
    run_id = _bring(rig)
    assert rig.run(run_id).input is None
    assert rig.attempt() == Completed("ADA@EXAMPLE.COM")
    run, steps = rig.run(run_id), rig.steps(run_id)
    assert (run.status, run.attempt, run.failures) == (Status.SUCCESS, 1, 0)
    assert run.input == {"to": "ada@example.com", "times": 1}, "validated, its defaults filled"
    assert [(each.identity, each.kind) for each in steps.values()] == [
        (STEP, StepKind.TRANSFORM), ("look_up#0", StepKind.ACTION),
    ], "an action inside of a transform is a plain call"  # fmt: skip
    assert (steps[STEP].name, steps[STEP].output) == ("transform of leads", run.input)
    assert [(line.body, line.step) for line in rig.logs(run_id)] == [
        ("transforming Ada", STEP), ("writing", None),
    ]  # fmt: skip
    assert STEP in [span.name for span in rig.spans(run_id)]
    assert ("write", "ada@example.com", ADA) in rig.calls


def test_with_limits_it_is_queued_again_under_its_keys(rig: TriggeredRig) -> None:
    first, second, other = _bring(rig, "one"), _bring(rig, "one"), _bring(rig, "one", email="bob@example.com")
    assert _admit(rig, 3) == [Admitting] * 3
    admitted = rig.run(first)
    assert (admitted.status, admitted.failures, admitted.recoveries) == (Status.QUEUED, 0, 0)
    assert admitted.input == {"to": "ada@example.com", "times": 1}
    with rig.database.read() as tx:
        assert [each.transition for each in history.list_timeline(rig.stage.scope, tx, first)] == [
            "create", "claim", "admit",
        ]  # fmt: skip
    running = rig.claim()
    assert running.run_id == first
    passing = rig.claim()
    assert passing.run_id == other, "another key"
    assert parked_on(rig.stage, second) == "concurrency:one/ada@example.com"
    assert rig.attempt(running) == Completed("ada@example.com")
    assert rig.attempt().output == "ada@example.com"  # type: ignore[union-attr]
    assert rig.calls.count("transform") == 3, "what is recorded is not made again"
    assert rig.run(second).attempt == 2


def test_a_skipped_one_is_canceled_when_it_is_admitted(rig: TriggeredRig) -> None:
    first, second = _bring(rig, "skipped"), _bring(rig, "skipped")
    _admit(rig, 2)
    assert rig.run(first).status is Status.QUEUED
    assert (rig.run(second).status, rig.run(second).status_reason) == (
        Status.CANCELED, Reason.CONCURRENCY_SKIPPED,
    )  # fmt: skip
    assert rig.run(second).input == {"to": "ada@example.com", "times": 1}


def test_one_that_replaces_does_so_when_it_is_admitted(rig: TriggeredRig) -> None:
    first = _bring(rig, "replaced")
    rig.attempt()
    rig.attempt()
    assert rig.run(first).status is Status.SLEEPING
    second = _bring(rig, "replaced")
    assert rig.run(first).status is Status.SLEEPING, "its key is not known yet"
    rig.attempt()
    assert (rig.run(first).status, rig.run(first).status_reason) == (
        Status.CANCELED, Reason.CONCURRENCY_REPLACED,
    )  # fmt: skip
    assert rig.run(second).status is Status.QUEUED


def test_a_rate_counts_from_the_admission_on(rig: TriggeredRig) -> None:
    first, second = _bring(rig, "paced"), _bring(rig, "paced")
    assert _admit(rig, 2) == [Admitting] * 2
    rig.attempt()
    assert rig.run(first).status is Status.SUCCESS
    assert rig.stage.claim() is None
    assert (rig.run(second).status, rig.run(second).status_reason) == (
        Status.QUEUED, Reason.WAITING_FOR_RATE_LIMIT,
    )  # fmt: skip


def test_a_failing_transform_is_a_failed_run(rig: TriggeredRig) -> None:
    for workflow in ("write", "write-async", "one"):
        _fails(rig, workflow, "broken", "KeyError", ["raise KeyError(lead.name)"])
        _fails(rig, workflow, "bad", "keystroke.errors.InvalidValue", [])


def _fails(rig: TriggeredRig, workflow: str, name: str, kind: str, lines: list[str]) -> None:
    run_id = _bring(rig, workflow, name=name)
    assert isinstance(rig.attempt(), Failed)
    run = rig.run(run_id)
    assert (run.status, run.status_reason, run.input) == (Status.FAILED, Reason.INVALID_INPUT, None)
    assert run.trigger.payload == {**ADA, "name": name}
    assert run.error is not None
    assert (run.error["type"], run.error["step"], run.error["retryable"]) == (kind, STEP, False)
    assert [frame["code"] for frame in run.error["stack"]] == lines
    assert rig.steps(run_id)[STEP].status is StepStatus.FAILED


def test_a_payload_that_is_none_any_more_fails_the_run(make_triggered: MakeTriggered) -> None:
    rig = make_triggered(FLOWS)
    run_id = _bring(rig)
    later = make_triggered(FLOWS.replace("email: str\n        name", "email: int\n        name"))
    assert isinstance(later.attempt(later.claim()), Failed)
    error = rig.run(run_id).error
    assert error is not None
    assert "$.email" in error["message"]


def test_a_worker_that_is_lost_behind_the_transform(rig: TriggeredRig) -> None:
    """Once on record it is not executed again, however the attempt ended; before that it is."""
    run_id = _bring(rig)
    _while_transforming(rig, lambda: _die(rig, run_id))
    with pytest.raises(LeaseLost):
        rig.attempt()
    rig.attempt()
    assert rig.run(run_id).status is Status.SUCCESS
    assert rig.calls.count("transform") == 2
    assert rig.run(run_id).recoveries == 1


def _die(rig: TriggeredRig, run_id: str) -> None:
    """The first time, somebody else takes the run for lost: what this attempt writes is refused."""
    if rig.run(run_id).attempt == 1:
        recover_attempt(rig.database, run_id, 1, rig.settings)


@pytest.mark.parametrize(("workflow", "last"), [("write", "run-admitting"), ("one", "attempt-ending")])
def test_an_attempt_that_dies_between_the_record_and_the_admission(
    rig: TriggeredRig, workflow: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _bring(rig, workflow)
    monkeypatch.setattr(crashpoints, "on_passing", _dying_at(last))
    with pytest.raises(_Dead):
        rig.attempt()
    monkeypatch.undo()
    assert rig.run(run_id).input is None
    recover_attempt(rig.database, run_id, 1, rig.settings)
    while rig.run(run_id).status is not Status.SUCCESS:
        assert not isinstance(rig.attempt(), Failed)
    assert rig.calls.count("transform") == 1


class _Dead(BaseException):
    """What stands for a SIGKILL."""


def _dying_at(last: str) -> Callable[[str], None]:
    def die(name: str) -> None:
        if name == last:
            raise _Dead

    return die


def test_an_event_is_given_to_a_transform_that_asks_for_it(rig: TriggeredRig) -> None:
    delivery = rig.deliver("asks", {"x-event": "push"})
    run_id = rig.bring("asks", ADA, id=delivery)
    at = datetime(2026, 11, 23, 2, tzinfo=UTC)
    ticked = rig.bring(
        "nightly", None, id="tick_1", fired_at=at, scheduled_at=at, previous_fire=at.replace(day=21), missed=1
    )
    gone = rig.bring("asks", ADA)
    for _ in range(3):
        rig.attempt()
    assert rig.run(run_id).input["to"] == "POST push 2 192.0.2.1"
    assert rig.run(ticked).input["to"] == "02:00 after 02:00, 1 missed"
    error = rig.run(gone).error
    assert error is not None, "its delivery is deleted"
    assert error["type"].endswith(".DeliveryNotFound")


def test_the_code_has_no_such_transform_any_more(make_triggered: MakeTriggered) -> None:
    run_id = _bring(make_triggered(FLOWS))
    later = make_triggered(FLOWS.replace("transform=to_letter", "transform=None"))
    outcome = later.attempt(later.claim())
    assert isinstance(outcome, Failed)
    run = later.run(run_id)
    assert (run.status_reason, run.input) == (Reason.INVALID_INPUT, None)
    assert run.error is not None
    assert "no transform for leads:write" in run.error["message"]


@pytest.mark.parametrize("interruption", list(Interruption))
def test_a_transform_is_interrupted(rig: TriggeredRig, interruption: Interruption) -> None:
    outcome, status = {
        Interruption.CANCEL: (Canceled, Status.CANCELED), Interruption.DRAIN: (HandedBack, Status.QUEUED),
        Interruption.TIMEOUT: (Failed, Status.FAILED),
    }[interruption]  # fmt: skip
    for workflow in ("write", "write-async"):
        run_id, gate = _bring(rig, workflow), InterruptGate()
        lease = rig.stage.claim()
        while lease is not None and lease.id != run_id:
            lease = rig.stage.claim()  # one that was handed back
        assert isinstance(lease, Lease)
        during = [partial(gate.interrupt, interruption)]
        if interruption is Interruption.CANCEL:
            during.insert(0, partial(_cancel, rig, run_id))
        _hook(rig)[:] = during
        assert isinstance(rig.attempt(lease, gate), outcome)
        run = rig.run(run_id)
        assert (run.status, run.input) == (status, None)
        assert run.status_reason is Reason.TIMEOUT or outcome is not Failed
    assert "look_up" not in rig.calls


def _cancel(rig: TriggeredRig, run_id: str) -> None:
    cancel_run(rig.database, rig.stage.scope, run_id, LOCAL_OWNER, rig.settings)


def test_a_cancel_that_comes_with_the_admission(rig: TriggeredRig) -> None:
    """Asked for while the transform runs, by somebody whose word has not reached the worker."""
    run_id = _bring(rig, "one")
    _while_transforming(
        rig, lambda: cancel_run(rig.database, rig.stage.scope, run_id, LOCAL_OWNER, rig.settings)
    )
    rig.attempt()
    assert (rig.run(run_id).status, rig.run(run_id).status_reason) == (
        Status.CANCELED, Reason.CANCELED_BY_USER,
    )  # fmt: skip
