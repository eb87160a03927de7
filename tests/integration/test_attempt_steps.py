"""Attempts against a real database: steps, their records, and what comes back on replay."""

from __future__ import annotations

from keystroke.domain.outcome import Completed, Failed, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import StepStatus
from support.attempts import MakeRig

THREE = """
    @action
    def double(number: int) -> int:
        CALLS.append(number)
        return number * 2

    @workflow("three")
    def three(number: int) -> list[int]:
        return [double(number), double(number + 1), double(number=number + 2)]
"""


def test_each_call_is_a_recorded_step(make_rig: MakeRig) -> None:
    rig = make_rig(THREE)
    run = rig.run_through("three", 1)
    assert (run.status, run.output, run.step_count) == (Status.SUCCESS, [2, 4, 6], 3)
    steps = rig.steps(run.id)
    assert list(steps) == ["double#0", "double#1", "double#2"]
    assert [(step.input, step.output) for step in steps.values()] == [
        ({"number": 1}, 2), ({"number": 2}, 4), ({"number": 3}, 6),
    ]  # fmt: skip


def test_recorded_steps_do_not_run_again(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def count() -> int:
            CALLS.append("count")
            return len(CALLS)

        @workflow("again", max_attempts=3)
        def again(ctx: Context) -> int:
            first = count()
            if ctx.attempt < 3:
                raise ValueError(f"not yet: {ctx.attempt}")
            return first + count()
        """
    )
    run = rig.run_through("again")
    assert (run.status, run.output, run.attempt, run.failures) == (Status.SUCCESS, 3, 3, 2)
    assert rig.calls == ["count", "count"]


def test_a_failed_step_raises_the_same_exception_live_and_on_replay(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        class OutOfStock(Exception):
            def __init__(self, item, left):
                super().__init__(item, left)
                self.item, self.left = item, left

        class Odd(Exception):
            def __init__(self, one, two):
                super().__init__(f"{one} {two}")

        @action
        def buy(what: str) -> None:
            CALLS.append(what)
            if what == "mine":
                raise OutOfStock("lamp", 3)
            if what == "key":
                raise KeyError("missing")
            if what == "exit":
                sys.exit(3)
            raise Odd("a", "b")

        @workflow("shop", max_attempts=2)
        def shop(ctx: Context) -> list[str]:
            seen = []
            for what in ("mine", "key", "exit", "odd"):
                try:
                    buy(what)
                except BaseException as error:
                    seen.append(f"{type(error).__name__} {error.args} {error} {getattr(error, 'left', '')}")
            if ctx.attempt == 1:
                raise RuntimeError("; ".join(seen))
            return seen
        """
    )
    run_id = rig.start("shop")
    first = rig.attempt()
    assert isinstance(first, Failed)
    rig.advance(600)
    rig.attempt()
    run = rig.run(run_id)
    assert run.status == Status.SUCCESS
    assert "; ".join(run.output) == first.failure.message
    assert [line.split(" ")[0] for line in run.output] == [
        "OutOfStock",
        "KeyError",
        "SystemExit",
        "ActionFailed",
    ]
    assert rig.calls == ["mine", "key", "exit", "odd"]


def test_a_failure_shows_the_users_own_frames_and_the_step(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def charge(card: str) -> None:
            raise ValueError(f"card {card} expired")

        @workflow("pay")
        def pay(card: str) -> None:
            charge(card)
        """
    )
    run = rig.run_through("pay", "4711")
    assert run.status == Status.FAILED
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("ValueError", "card 4711 expired")
    assert (run.error["step"], run.error["reason"], run.error["retryable"]) == (
        "charge#0",
        "user_error",
        False,
    )
    assert [(frame["path"], frame["function"]) for frame in run.error["stack"]] == [
        ("workflows/flows.py", "pay"), ("workflows/flows.py", "charge"),
    ]  # fmt: skip
    assert rig.steps(run.id)["charge#0"].status is StepStatus.FAILED


RETRIED = """
    @action(retries=2, backoff=Backoff(first="%s", factor=1, longest="1h"))
    def flaky(limit: int) -> int:
        CALLS.append("try")
        if len(CALLS) < limit:
            raise ConnectionError(f"try {len(CALLS)}")
        return len(CALLS)

    @workflow("retried")
    def retried(limit: int) -> int:
        return flaky(limit)
"""


def test_short_backoffs_are_waited_for_in_place(make_rig: MakeRig) -> None:
    rig = make_rig(RETRIED % "1ms")
    run_id = rig.start("retried", 3)
    assert rig.attempt() == Completed(3)
    step = rig.steps(run_id)["flaky#0"]
    assert (step.attempt, [each.number for each in step.tries]) == (3, [1, 2])
    assert step.tries[0].error["message"] == "try 1"


def test_a_long_backoff_suspends_the_run_and_goes_on_with_the_next_try(make_rig: MakeRig) -> None:
    rig = make_rig(RETRIED % "1h")
    run_id = rig.start("retried", 3)
    outcome = rig.attempt()
    # Full jitter: about one pause in 1,200 is short enough to be waited for in place.
    assert isinstance(outcome, Suspended)
    assert outcome.reason is Reason.RETRY_BACKOFF
    assert rig.run(run_id).status == Status.SLEEPING
    assert rig.steps(run_id)["flaky#0"].status is StepStatus.RETRYING
    rig.advance(4000)
    rig.attempt()
    rig.advance(4000)
    rig.attempt()
    assert rig.run(run_id).output == 3
    assert rig.calls == ["try"] * 3


def test_retries_are_bounded_and_the_last_error_is_raised(make_rig: MakeRig) -> None:
    rig = make_rig(RETRIED % "1ms")
    run = rig.run_through("retried", 9)
    assert run.error is not None
    assert (run.status, run.error["type"], run.error["message"]) == (
        Status.FAILED,
        "ConnectionError",
        "try 3",
    )
    assert rig.calls == ["try"] * 3


def test_fatal_and_what_retry_on_leaves_out_are_not_retried(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=5, backoff=Backoff(first="1ms"))
        def fatal() -> None:
            CALLS.append("fatal")
            raise Fatal("no use")

        @action(retries=5, backoff=Backoff(first="1ms"), retry_on=(ConnectionError,))
        def picky() -> None:
            CALLS.append("picky")
            raise ValueError("no use")

        @workflow("both", max_attempts=3)
        def both() -> None:
            try:
                picky()
            except ValueError:
                fatal()
        """
    )
    run = rig.run_through("both")
    assert (run.status, run.attempt) == (Status.FAILED, 1)
    assert rig.calls == ["picky", "fatal"]


def test_a_changed_call_is_nondeterminism(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def note(text: str, token: str = "hidden") -> str:
            return text

        @workflow("changing", max_attempts=9)
        def changing(ctx: Context) -> None:
            try:
                note(f"attempt {ctx.attempt}")
            except Exception:
                pass
            raise ValueError("once more")
        """
    )
    run = rig.run_through("changing")
    assert (run.status, run.attempt) == (Status.FAILED, 2)
    assert run.status_reason is Reason.NONDETERMINISM
    assert run.error is not None
    assert 'recorded: action note(text="attempt 1", token="[redacted]")' in run.error["message"]
    assert 'actual:   action note(text="attempt 2", token="[redacted]")' in run.error["message"]
    assert run.error["stack"][-1]["function"] == "changing"


def test_swallowing_a_suspension_names_the_line(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=1, backoff=Backoff(first="1h", factor=1, longest="1h"))
        def flaky() -> int:
            raise ConnectionError

        @workflow("swallowing")
        def swallowing() -> str:
            try:
                flaky()
            except BaseException:
                return "went on"
        """
    )
    run = rig.run_through("swallowing")
    assert run.status_reason is Reason.SUSPENSION_SWALLOWED
    assert run.error is not None
    assert run.error["stack"][0]["code"] == "flaky()"
    assert "workflows/flows.py:" in run.error["message"]


def test_clean_up_does_not_call_actions_while_a_run_is_suspended(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=1, backoff=Backoff(first="1h", factor=1, longest="1h"))
        def flaky() -> int:
            CALLS.append("flaky")
            if len(CALLS) == 1:
                raise ConnectionError
            return 5

        @action
        def release() -> None:
            CALLS.append("release")

        @workflow("cleaning")
        def cleaning() -> int:
            try:
                return flaky()
            finally:
                release()
        """
    )
    run = rig.run_through("cleaning")
    assert (run.status, run.output) == (Status.SUCCESS, 5)
    assert rig.calls == ["flaky", "flaky", "release"]


def test_input_and_output_are_validated(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("strict")
        def strict(number: int) -> int:
            if number == 1:
                return {1, 2}
            if number == 2:
                raise SystemExit(4)
            if number == 3:
                return strict(3)
            if number == 4:
                raise KeyboardInterrupt
            return float("nan") if number == 5 else number
        """
    )
    ends = {number: rig.run_through("strict", number) for number in range(7)}
    assert ends[6].output == 6
    assert {number: run.status_reason for number, run in ends.items()} == {
        0: None, 1: Reason.INVALID_OUTPUT, 2: Reason.USER_ERROR, 3: Reason.USER_ERROR, 4: Reason.USER_ERROR,
        5: Reason.INVALID_OUTPUT, 6: None,
    }  # fmt: skip
    errors = [run.error["type"] for run in ends.values() if run.error]
    assert errors == [
        "keystroke.errors.InvalidValue", "SystemExit", "RecursionError", "KeyboardInterrupt",
        "keystroke.errors.InvalidValue",
    ]  # fmt: skip


def test_the_input_is_validated_once_and_recorded_with_its_defaults(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from uuid import UUID, uuid4
        from pydantic import BaseModel, Field

        class Order(BaseModel):
            number: UUID = Field(default_factory=uuid4)

        @workflow("order", max_attempts=2)
        def order(order: Order, ctx: Context) -> None:
            CALLS.append(order.number)
            raise ValueError
        """
    )
    run = rig.run_through("order", {})
    assert len(rig.calls) == 2
    assert {str(each) for each in rig.calls} == {run.input["number"]}


def test_what_a_body_changes_in_its_arguments_stays_in_that_try(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=1, backoff=Backoff(first="1ms"))
        def take_one(names: list[str]) -> str:
            taken = names.pop()
            CALLS.append(taken)
            if len(CALLS) == 1:
                raise ValueError("once more")
            return taken

        @workflow("take", max_attempts=2)
        def take(ctx: Context) -> list[str]:
            names = ["a", "b"]
            taken = [take_one(names), take_one(names)]
            if ctx.attempt == 1:
                raise ValueError("replay it")
            return taken + names
        """
    )
    run = rig.run_through("take")
    assert (run.status, run.error, run.output) == (Status.SUCCESS, None, ["b", "b", "a", "b"])
    assert rig.calls == ["b", "b", "b"]
