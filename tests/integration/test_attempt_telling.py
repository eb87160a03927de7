"""What a run says and costs: logs, prints, spans, progress, tags and usage, each once however often it is replayed."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from keystroke.domain.outcome import Suspended
from keystroke.domain.states import Status
from keystroke.domain.step import StepStatus
from support.attempts import MakeRig
from support.waiting import wait_until

TALKING = """
    log = logging.getLogger("shop")

    @action
    def first() -> int:
        print("inside first")
        return 1

    @action(retries=1, backoff=Backoff(first="1h", factor=1, longest="1h"))
    def second() -> int:
        CALLS.append("second")
        log.warning("try %d", len(CALLS))
        if len(CALLS) == 1:
            raise ConnectionError
        print("partial", end="")
        return 2

    @workflow("talking")
    def talking(ctx: Context) -> int:
        print("begin")
        result = first()
        log.info("between")
        result += second()
        sys.stderr.write("after\\nwards\\n")
        return result
"""


def test_everything_said_is_kept_once(make_rig: MakeRig) -> None:
    rig = make_rig(TALKING)
    run = rig.run_through("talking")
    assert run.status == Status.SUCCESS
    lines = [(line.severity, line.logger, line.body, line.step) for line in rig.logs(run.id)]
    assert lines == [
        ("INFO", "stdout", "begin", None),
        ("INFO", "stdout", "inside first", "first#0"),
        ("INFO", "shop", "between", None),
        ("WARNING", "shop", "try 1", "second#0"),
        ("WARNING", "shop", "try 2", "second#0"),
        ("WARNING", "stderr", "after", None),
        ("WARNING", "stderr", "wards", None),
        ("INFO", "stdout", "partial", "second#0"),
    ]


def test_what_a_later_attempt_says_after_the_last_record_is_kept(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def first() -> int:
            return 1

        @workflow("tail", max_attempts=2)
        def tail(ctx: Context) -> None:
            print("before")
            first()
            print(f"attempt {ctx.attempt}")
            raise ValueError
        """
    )
    run = rig.run_through("tail")
    assert [line.body for line in rig.logs(run.id)] == ["before", "attempt 1", "attempt 2"]


def test_log_lines_are_bounded(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @workflow("chatty")
        def chatty() -> None:
            for number in range(30000):
                print(number)
        """
    )
    run = rig.run_through("chatty")
    lines = rig.logs(run.id)
    assert len(lines) == rig.settings.trace_cap + 1
    assert "ut here" in lines[-1].body


def test_run_attempts_and_steps_are_spans_and_the_authors_join_them(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from opentelemetry import trace

        @action
        def work() -> int:
            with trace.get_tracer("shop").start_as_current_span("inner") as span:
                span.set_attribute("lamp", 3)
            return 1

        @workflow("traced")
        def traced() -> int:
            return work()
        """
    )
    run = rig.run_through("traced")
    spans = {span.name: span for span in rig.spans(run.id)}
    assert set(spans) == {"inner", "work#0", "attempt 1", "traced"}
    assert spans["inner"].parent_id == spans["work#0"].span_id
    assert spans["inner"].attributes == {"lamp": 3}
    assert spans["work#0"].parent_id == spans["attempt 1"].span_id
    assert spans["attempt 1"].parent_id == spans["traced"].span_id
    assert {span.status for span in (spans["traced"], spans["work#0"])} == {"ok"}


def test_usage_counts_once_on_replay_and_stays_for_failed_tries(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=1, backoff=Backoff(first="1ms"))
        def ask(ctx: Context) -> int:
            CALLS.append("ask")
            ctx.usage.add("model", "big", quantity=100, unit="tokens", cost="0.01")
            if len(CALLS) == 1:
                raise ConnectionError
            return 1

        @workflow("costly", max_attempts=3)
        def costly(ctx: Context) -> None:
            ask(ctx)
            ctx.usage.add("service", "search", cost="0.005")
            raise ValueError
        """
    )
    run = rig.run_through("costly")
    assert (run.attempt, run.total_cost) == (3, Decimal("0.025"))
    assert [(item.name, item.step) for item in run.usage] == [
        ("big", "ask#0"), ("big", "ask#0"), ("search", None),
    ]  # fmt: skip


def test_progress_and_tags_are_shown_and_not_again_on_replay(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action(retries=1, backoff=Backoff(first="1h", factor=1, longest="1h"))
        def flaky(ctx: Context) -> None:
            ctx.progress(0.5, "half way")
            CALLS.append("flaky")
            if len(CALLS) == 1:
                raise ConnectionError

        @workflow("telling")
        def telling(ctx: Context) -> dict[str, str]:
            ctx.progress(0.1)
            ctx.tags["customer"] = "acme"
            ctx.tags.update(colour="red", size="9")
            flaky(ctx)
            return dict(ctx.tags)
        """
    )
    run_id = rig.start("telling")
    assert isinstance(rig.attempt(), Suspended)
    shown = rig.run(run_id).progress
    assert shown is not None
    assert (shown.fraction, shown.message) == (0.5, "half way")
    rig.advance(4000)
    rig.attempt()
    run = rig.run(run_id)
    assert run.output == run.tags == {"customer": "acme", "colour": "red", "size": "9"}


def test_secrets_are_sealed_on_record_and_open_in_code(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        from pydantic import BaseModel, SecretStr

        class Login(BaseModel):
            name: str
            password: SecretStr

        @action
        def renew(login: Login) -> SecretStr:
            CALLS.append(login.password.get_secret_value())
            return SecretStr("fresh")

        @workflow("secretive", max_attempts=2)
        def secretive(login: Login, ctx: Context) -> SecretStr:
            renewed = renew(login)
            if ctx.attempt == 1:
                raise ValueError
            CALLS.append(renewed.get_secret_value())
            return renewed
        """
    )
    run = rig.run_through("secretive", {"name": "Ada", "password": "hunter2"})
    assert run.status == Status.SUCCESS
    assert rig.calls == ["hunter2", "fresh"]
    assert list(run.output) == ["$sealed"]
    assert list(run.input["password"]) == ["$sealed"]
    assert list(rig.steps(run.id)["renew#0"].output) == ["$sealed"]


def test_what_takes_long_is_shown_while_it_runs(make_rig: MakeRig) -> None:
    rig = make_rig(
        """
        @action
        def slow(ctx: Context) -> None:
            print("slow begins")
            ctx.progress(message="under way")
            seen = open(os.environ["SEEN"])
            seen.read()
            seen.close()

        @workflow("slow")
        def slowly(ctx: Context) -> None:
            slow(ctx)
        """
    )
    with _pipe() as path:
        run_id = rig.start("slow")
        thread = threading.Thread(target=rig.attempt)
        thread.start()
        # The action ends when the pipe is opened and closed; that happens only once everything is to be seen.
        wait_until(lambda: rig.steps(run_id).get("slow#0") is not None)
        wait_until(lambda: [line.body for line in rig.logs(run_id)] == ["slow begins"])
        wait_until(lambda: rig.run(run_id).progress is not None)
        assert rig.steps(run_id)["slow#0"].status is StepStatus.RUNNING
        path.write_text("go on")
        thread.join()
    assert rig.steps(run_id)["slow#0"].status is StepStatus.SUCCESS


@contextmanager
def _pipe() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen"
        os.mkfifo(path)
        os.environ["SEEN"] = str(path)
        yield path
        del os.environ["SEEN"]
