"""The test kit's triggers: deliveries, ticks and polls, routed and executed as by a server."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from keystroke import (
    Concurrency,
    Context,
    PollResult,
    Request,
    Tick,
    action,
    poll,
    schedule,
    webhook,
    workflow,
)
from keystroke.errors import DefinitionError, InvalidPayload
from keystroke.testing import KitProblem, TestKit
from keystroke.verify import open_endpoint, standard_webhooks


class SignupEvent(BaseModel):
    kind: Literal["signup"]
    name: str
    email: str


class Signup(BaseModel):
    name: str
    email: str


class Cursor(BaseModel):
    after: int = 0


@action
def company_of(email: str) -> str:
    raise ConnectionError("the real one is not for tests")


@workflow("welcome", concurrency=Concurrency(1, key="{input.email}"))
def welcome(signup: Signup, ctx: Context) -> list[str | None]:
    return [signup.name, company_of(signup.email), ctx.trigger.label]


@workflow("note")
def note(text: Any, ctx: Context) -> Any:
    return [text, ctx.trigger.type, ctx.trigger.value]


def to_signup(event: SignupEvent) -> dict[str, str]:
    if event.name == "Mallory":
        raise PermissionError("not she")
    return {"name": event.name.upper(), "email": event.email}


signups = webhook(
    "signups", "signups", payload=SignupEvent, verify=standard_webhooks("env:S"), match={"query:team": ["a"]}
)
signups.attach(welcome, transform=to_signup)
hooks = webhook("hooks", "hooks", verify=open_endpoint())
hooks.attach(note, transform=lambda payload, request: f"{describe(request)} {payload}")
nightly = schedule("nightly", "0 2 * * *", payload={"of": "today"}).attach(note)
weekly = schedule("weekly", "0 2 * * 1").attach(note, transform=lambda _payload, tick: moment(tick))
FOUND: list[int] = []


@poll("numbers", every="5m", state=Cursor)
def numbers(state: Cursor | None) -> PollResult:
    if 13 in FOUND:
        raise ValueError("thirteen")
    after = state.after if state else 0
    new = [each for each in FOUND if each > after]
    return PollResult(payloads=new, state=Cursor(after=max(new, default=after)))


numbers.attach(note, transform=lambda number: {"number": number})
ADA = {"kind": "signup", "name": "Ada", "email": "ada@example.com"}


def describe(request: Request) -> str:
    return f"{request.method} {request.headers['X-Event']}"


def moment(tick: Tick) -> str:
    return f"{tick.source} at {tick.scheduled_at:%H:%M}"


def test_a_delivery_goes_through_its_transform(keystroke: TestKit) -> None:
    company = keystroke.stub("company_of", returns="Engines")
    event = keystroke.deliver(signups, SignupEvent(**ADA), query={"team": "a"})  # type: ignore[arg-type]
    assert event.outcome == "fired"
    assert event.run.output == ["ADA", "Engines", "Webhook · signups"]
    assert event.run.steps["transform:signups#0"].output == {"name": "ADA", "email": "ada@example.com"}
    assert event.run.attempts == 2, "admitted under its key"
    assert len(company.seen) == 1
    assert keystroke.runs[0].id == event.run.id


def test_what_does_not_match_starts_nothing(keystroke: TestKit) -> None:
    assert keystroke.deliver(signups, ADA, query={"team": "b"}).outcome == "filtered"
    other = keystroke.deliver(signups, {**ADA, "kind": "goodbye"}, query={"team": "a"})
    assert (other.outcome, other.runs) == ("filtered", [])
    wrong = keystroke.deliver(signups, {"kind": "signup"}, query={"team": "a"})
    assert wrong.outcome == "rejected"
    assert "name" in str(wrong.error)
    with pytest.raises(KitProblem, match="started 0 runs"):
        _ = wrong.run


def test_a_delivery_that_comes_again(keystroke: TestKit) -> None:
    keystroke.stub("company_of", returns="Engines")
    first, again = (
        keystroke.deliver(signups, ADA, query={"team": "a"}, headers={"Webhook-Id": "msg_1"})
        for _ in range(2)
    )
    assert (again.outcome, again.id, again.run.id) == ("duplicate", first.id, first.run.id)


def test_a_transform_that_fails_and_one_that_crashes(keystroke: TestKit) -> None:
    keystroke.stub("company_of", returns="Engines")
    failed = keystroke.deliver(signups, {**ADA, "name": "Mallory"}, query={"team": "a"}).run
    assert (failed.status, failed.status_reason) == ("failed", "invalid_input")
    assert failed.error is not None
    assert (failed.error.type, failed.error.step) == ("PermissionError", "transform:signups#0")
    for crash in (keystroke.crash_before, keystroke.crash_after):
        crash("transform:signups")
        run = keystroke.deliver(signups, ADA, query={"team": "a"}).run
        assert (run.status, run.recoveries) == ("success", 1)


def test_a_recorded_run_behind_a_transform_is_rehearsed(keystroke: TestKit) -> None:
    keystroke.stub("company_of", returns="Engines")
    run = keystroke.deliver(signups, ADA, query={"team": "a"}).run
    replayed = keystroke.replay(run, welcome)
    assert (replayed.ended, replayed.output, replayed.unused) == (True, run.output, ())


def test_the_request_of_a_form(keystroke: TestKit) -> None:
    form = {"content-type": "application/x-www-form-urlencoded", "x-event": "push"}
    assert keystroke.deliver(hooks, b"a=1", headers=form).run.output[0] == "POST push {'a': '1'}"


def test_schedules_and_webhooks_are_fired(keystroke: TestKit) -> None:
    keystroke.now = keystroke.now.replace(hour=7, minute=30)
    assert keystroke.fire(nightly).run.output == [{"of": "today"}, "schedule", "nightly:note"]
    assert keystroke.fire(nightly, {"of": "then"}).run.output[0] == {"of": "then"}
    assert keystroke.fire(weekly).run.output[0] == "weekly at 07:30"
    with pytest.raises(InvalidPayload):
        keystroke.fire(signups, {"name": 1})
    with pytest.raises(KitProblem, match="is not posted to"):
        keystroke.deliver(nightly)


def test_a_poll_keeps_its_state(keystroke: TestKit) -> None:
    FOUND[:] = [1, 2]
    first = keystroke.tick(numbers)
    assert [run.output[0] for run in first.runs] == [{"number": 1}, {"number": 2}], first
    assert (first.outcome, first.state) == ("fired", Cursor(after=2))
    assert (keystroke.tick(numbers).outcome, len(keystroke.runs)) == ("filtered", 2)
    FOUND.append(3)
    assert keystroke.tick(numbers).run.output[0] == {"number": 3}
    FOUND.append(13)
    failed = keystroke.tick(numbers)
    assert (failed.outcome, failed.error["message"], failed.state) == ("error", "thirteen", Cursor(after=3))


def test_what_is_attached_later_is_started_too(keystroke: TestKit) -> None:
    late = webhook("late", "late", verify=open_endpoint())
    with pytest.raises(DefinitionError, match="nothing is attached"):
        keystroke.deliver(late, 1)
    late.attach(note)
    assert keystroke.deliver(late, 1).run.output == [1, "webhook", "late:note"]
    with pytest.raises(TypeError, match="a source is made by"):
        keystroke.deliver(note, 1)  # type: ignore[arg-type]
