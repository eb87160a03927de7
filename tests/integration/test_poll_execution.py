"""What the author's function gives and raises, and what filters and keys make of it: one database is enough."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from keystroke.domain.lease import Lease
from keystroke.domain.states import Status
from keystroke.execution import polling
from keystroke.execution.attempt import run_attempt
from keystroke.execution.gate import InterruptGate, Interruption, QuietGate
from keystroke.operations.finish_attempt import finish_attempt
from support.poll_rig import INVOICES, MakePolls, PollRig, any_poll
from support.waiting import wait_until


@pytest.fixture
def rig(make_polls_here: MakePolls) -> PollRig:
    return make_polls_here(INVOICES)


def test_nothing_found_is_filtered(rig: PollRig) -> None:
    rig.given["invoices"] = []
    tick = rig.tick()
    assert (tick.outcome, json.loads(tick.run_ids)) == ("filtered", [])
    assert rig.state("invoices") == {"at": 0}


def test_what_it_says_is_kept_under_its_id(rig: PollRig) -> None:
    rig.given["invoices"] = [1]
    tick = rig.tick()
    spans, lines = rig.trace(tick.id)
    assert [line.body for line in lines] == ["looking from None"]
    assert [span.name for span in spans] == ["poll invoices"]
    assert spans[0].status == "ok"
    assert lines[0].span_id == spans[0].span_id


def test_the_function_and_its_runs_are_told_how_many_times_were_missed(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        @poll("any", every="5m", group="both")
        def look(tick: Tick):
            return [{"missed": tick.missed}]
        look.attach(anything)

        @poll("other", every="5m", group="both")
        def other():
            return None
        other.attach(anything)
    """)
    rig.tick()
    rig.advance(3_600)
    rig.tick()
    runs = rig.runs()
    assert [run.input for run in runs] == [{"missed": 0}] * 2 + [{"missed": 11}] * 2
    assert [run.trigger.missed for run in runs] == [0, 0, 11, 11]
    assert [row.missed for row in rig.ticks()] == [0, 0, 11, 11]


def test_pauses_after_failures_end_where_it_would_look_anyway(rig: PollRig) -> None:
    rig.given["invoices"] = ValueError("no connection")
    for _ in range(8):
        assert rig.tick().outcome == "error"
        rig.advance(300)
    source = rig.source("invoices")
    assert source.next_at is not None
    assert source.next_at <= source.now


@pytest.mark.parametrize(
    ("given", "inputs"),
    [({"a": 1}, [{"a": 1}]), ([1, 2], [1, 2]), (None, []), ([], []), ({}, [{}]), ("text", ["text"])],
)
def test_a_payload_a_list_or_nothing(make_polls_here: MakePolls, given: Any, inputs: list[Any]) -> None:
    rig = any_poll(make_polls_here)
    rig.given["any"] = given
    assert rig.tick().outcome == ("fired" if inputs else "filtered")
    assert [run.input for run in rig.runs()] == inputs


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (list(range(6)), "The poll any gave 6 payloads at once, of at most 5"),
        (["x" * 1_100_000], "payload 1 of any"),
        ([float("nan")], "payload 1 of any"),
        ([object()], "payload 1 of any"),
        (SystemExit(3), "3"),
        (KeyboardInterrupt(), ""),
    ],
)
def test_what_cannot_be_started_fails_the_tick_clearly(
    make_polls_here: MakePolls, monkeypatch: pytest.MonkeyPatch, given: Any, told: str
) -> None:
    monkeypatch.setattr(polling, "MOST_PAYLOADS", 5)
    rig = any_poll(make_polls_here)
    rig.given["any"] = given
    tick = rig.tick()
    assert tick.outcome == "error"
    assert told in json.loads(tick.error)["message"]
    assert rig.runs() == []


def test_filters_of_the_poll_and_of_attachments(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        @poll("numbers", every="5m", filter=lambda invoice: invoice.number > 1)
        def numbers() -> list[Invoice]:
            return [Invoice(number=each) for each in (1, 2, 3)]
        numbers.attach(handle, filter=lambda invoice: invoice.number > 2).attach(anything)
    """)
    tick = rig.tick()
    assert sorted((run.workflow, run.input["number"]) for run in rig.runs()) == [
        ("anything", 2), ("anything", 3), ("handle", 3),
    ]  # fmt: skip
    assert json.loads(tick.found) == {"payloads": 3, "filtered": 1, "seen": 0, "runs": 3}


def test_a_filter_that_fails_fails_the_tick_with_its_frame(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        def is_new(payload):
            raise RuntimeError("no idea")

        @poll("any", every="5m", filter=is_new)
        def look():
            return [1]
        look.attach(anything)
    """)
    error = json.loads(rig.tick().error)
    assert [frame["function"] for frame in error["stack"]] == ["is_new"]


@pytest.mark.parametrize("key", ["None", '""', "1.5", "True", "[1]"])
def test_a_key_that_is_none_fails_the_tick(make_polls_here: MakePolls, key: str) -> None:
    rig = any_poll(make_polls_here, f"dedupe_key=lambda payload: {key}")
    rig.given["any"] = [1]
    assert "it has to give text, not empty, or a whole number" in json.loads(rig.tick().error)["message"]


def test_the_function_may_take_the_tick(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        @poll("any", every="5m", state=Cursor)
        def look(state: Cursor | None, tick: Tick) -> PollResult:
            return PollResult([{"id": tick.id, "previous": str(tick.previous_fire)}], Cursor(at=1))
        look.attach(anything)
    """)
    first = rig.tick()
    rig.advance(300)
    second = rig.tick()
    inputs = [run.input for run in rig.runs()]
    assert [each["id"] for each in inputs] == [first.id, second.id]
    assert inputs[0]["previous"] == "None"
    assert inputs[1]["previous"] != "None"
    assert second.previous_at == first.scheduled_at


def test_an_action_is_a_plain_call_and_a_workflow_cannot_be_run(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        @action
        def fetch():
            return 5

        @poll("any", every="5m")
        def look():
            return [fetch()] if GIVEN.get("any") else handle.run({"number": 1})
        look.attach(anything)
    """)
    assert "handle.run works inside of a run only" in json.loads(rig.tick().error)["message"]
    rig.given["any"] = True
    rig.advance(11)
    rig.tick()
    assert [run.input for run in rig.runs()] == [5]


def test_secrets_of_state_and_payload_are_sealed(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        class Login(BaseModel):
            token: SecretStr

        @poll("any", every="5m", state=Login, payload=Login)
        def look(state: Login | None):
            CALLS.append(state and state.token.get_secret_value())
            return PollResult([{"token": "of the payload"}], {"token": "of the state"})

        @workflow("log-in")
        def log_in(login: Login) -> None: ...
        look.attach(log_in)
    """)
    rig.tick()
    rig.advance(300)
    rig.tick()
    assert rig.calls == [None, "of the state"]
    assert set(rig.state("any")["token"]) == {"$sealed"}
    for run in rig.runs():
        assert set(run.input["token"]) == {"$sealed"}
        assert set(run.trigger.payload["token"]) == {"$sealed"}
        assert run.status is Status.QUEUED


@pytest.mark.parametrize(
    ("options", "parameters", "given", "told"),
    [
        ("state=Cursor", "state: Cursor | None", "PollResult(state={'at': 'x'})", "does not fit Cursor"),
        ("", "", "PollResult(state=1)", "gave a state, and keeps none"),
        ("payload=Invoice", "", "[{'number': 'x'}]", "$.number"),
        ("", "", "PollResult(payloads={'a': 1})", "PollResult(payloads=...) takes a list, not dict"),
        ("", "", "PollResult(payloads=Invoice(number=1))", "takes a list, not Invoice"),
    ],
)
def test_results_that_do_not_fit(
    make_polls_here: MakePolls, options: str, parameters: str, given: str, told: str
) -> None:
    rig = any_poll(make_polls_here, options, parameters)
    names = rig.project.workflows["handle"].function.__globals__
    rig.given["any"] = lambda: eval(given, names)
    tick = rig.tick()
    assert told in json.loads(tick.error)["message"]
    assert (rig.runs(), rig.state("any")) == ([], None)


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        (Interruption.DRAIN, "queued", None),
        (Interruption.CANCEL, "ended", "TickCanceled"),
        (Interruption.TIMEOUT, "ended", "TickTimedOut"),
    ],
)
def test_interruptions(make_polls_here: MakePolls, how: Interruption, status: str, told: str | None) -> None:
    rig = any_poll(make_polls_here)
    gate = InterruptGate()

    def interrupted() -> list[int]:
        gate.interrupt(how)
        return [1]

    rig.given["any"] = interrupted
    tick = rig.tick(gate)
    assert tick.status == status
    assert (tick.error and json.loads(tick.error)["type"]) == told
    assert rig.runs() == []
    assert rig.source("any").failures == (how is Interruption.TIMEOUT)
    if how is Interruption.DRAIN:
        rig.given["any"] = [1]
        assert rig.work().outcome == "fired"
        assert rig.ticks()[0].attempt == 2


def test_a_transform_is_given_the_payload_and_the_tick(make_polls_here: MakePolls) -> None:
    rig = make_polls_here("""
        @poll("numbers", every="5m")
        def numbers() -> list[Invoice]:
            return [Invoice(number=1)]
        numbers.attach(anything, transform=lambda invoice, tick: [invoice.number, tick.id, tick.source])
    """)
    tick = rig.tick()
    lease = rig.stage.claim()
    assert isinstance(lease, Lease)
    ended = run_attempt(rig.database, rig.project, lease, QuietGate(), rig.settings, rig.stage.box)
    finish_attempt(rig.database, lease, ended.outcome, ended.active, rig.settings, None)
    [run] = rig.runs()
    assert (run.status, run.input) == (Status.SUCCESS, [1, tick.id, "numbers"])


def test_what_it_says_can_be_read_while_it_goes_on(make_polls_here: MakePolls) -> None:
    rig = any_poll(make_polls_here)
    rig.queue()
    lease = rig.claim()

    def look() -> None:
        print("begun")
        wait_until(lambda: [line.body for line in rig.trace(lease.tick_id)[1]] == ["begun"], 10)

    rig.given["any"] = look
    rig.finish(lease, rig.execute(lease))
    assert rig.ticks()[0].outcome == "filtered"
    assert [line.body for line in rig.trace(lease.tick_id)[1]] == ["begun"]


def test_what_it_says_is_bounded(make_polls_here: MakePolls) -> None:
    rig = any_poll(make_polls_here)
    rig.settings = replace(rig.settings, trace_cap=3)
    rig.given["any"] = lambda: [print(number) for number in range(10)] and None
    tick = rig.tick()
    assert [line.body for line in rig.trace(tick.id)[1]][:3] == ["0", "1", "2"]
    assert len(rig.trace(tick.id)[1]) == 4
