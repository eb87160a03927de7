"""Exceptions and streams that are not as one expects them: the run says what happened, and nothing else breaks."""

from __future__ import annotations

import io
import os
import sys

import pytest

from keystroke.domain.states import Status
from support.attempts import MakeRig

ODD = """
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Frozen(Exception):
        item: str

    class AnswersAll(Exception):
        def __getattr__(self, name):
            return "anything"

    class Leaves(Exception):
        def __str__(self):
            raise SystemExit(3)

    class Unstorable(Exception):
        pass

    Unstorable.__qualname__ = "Not\\x00\\ud800Storable"

    MAKE = {
        "frozen": lambda: Frozen("lamp"),
        "answers": lambda: AnswersAll("lamp"),
        "leaves": lambda: Leaves("lamp"),
        "unstorable": lambda: Unstorable("lamp"),
        "stops": lambda: StopIteration("lamp"),
    }

    @action
    def fail(how: str) -> None:
        raise MAKE[how]()

    @action
    async def fail_async(how: str) -> None:
        raise MAKE[how]()

    @workflow("in-step", max_attempts=2)
    def in_step(how: str) -> str:
        try:
            fail(how)
        except Exception as error:
            CALLS.append(type(error).__name__)
            raise
        return ""

    @workflow("in-async-step")
    async def in_async_step(how: str) -> str:
        await fail_async(how)
        return ""

    @workflow("in-body")
    def in_body(how: str) -> str:
        raise MAKE[how]()
"""


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("frozen", "workflows.flows.Frozen", "lamp"),
        ("answers", "workflows.flows.AnswersAll", "lamp"),
        ("leaves", "workflows.flows.Leaves", "(its message cannot be shown: SystemExit)"),
        ("unstorable", "workflows.flows.Not\N{REPLACEMENT CHARACTER}?Storable", "lamp"),
        ("stops", "StopIteration", "lamp"),
    ],
)
def test_an_odd_exception_is_a_failure_of_the_run_as_it_is(
    make_rig: MakeRig, how: str, kind: str, message: str
) -> None:
    rig = make_rig(ODD)
    where = ["in-step", "in-body"] if how == "stops" else ["in-step", "in-async-step", "in-body"]
    for workflow in where:
        run = rig.run_through(workflow, how)
        assert run.status is Status.FAILED
        assert run.error is not None
        assert (run.error["type"], run.error["message"]) == (kind, message), workflow
    live, replayed = rig.calls
    assert live == replayed, "what a step raises is the same live and on replay"


class _Gone(io.StringIO):
    """A stream whose reader has died."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("gone", ["closed", "broken"])
def test_a_stream_that_is_gone_fails_nobody_who_prints(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    rig = make_rig(
        """
        @workflow("talk")
        def talk() -> None:
            print("hello", "\\ud800", flush=True)
        """
    )
    stream = _Gone()
    if gone == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    run = rig.run_through("talk")
    assert run.status is Status.SUCCESS
    assert [line.body for line in rig.logs(run.id)] == ["hello ?"]


def test_a_text_that_the_stream_cannot_encode_fails_nobody(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(
        """
        @workflow("talk")
        def talk() -> None:
            print("\\ud800")
        """
    )
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "utf-8", write_through=True))
    assert rig.run_through("talk").status is Status.SUCCESS
    assert written.getvalue() == b"\\ud800\n"


@pytest.mark.parametrize("workflow", ["body", "step", "loop"])
def test_a_process_that_the_code_forks_and_lets_run_on_has_no_part_in_the_run(
    make_rig: MakeRig, workflow: str
) -> None:
    rig = make_rig(
        """
        def part() -> str:
            pid = os.fork()
            if pid == 0:
                return "the child"
            return f"the child left with {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}"

        @action
        def step() -> str:
            return part()

        @workflow("body")
        def body() -> str:
            return part()

        @workflow("step")
        def in_step() -> str:
            return step()

        @workflow("loop")
        async def loop() -> str:
            return part()
        """
    )
    run = rig.run_through(workflow)
    assert (run.status, run.output) == (Status.SUCCESS, f"the child left with {os.EX_SOFTWARE}")
