"""The test kit runs workflows as workers do, in the test's own process."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pydantic import BaseModel, SecretStr

from keystroke import AsyncContext, Context, RunCanceled, action, workflow
from keystroke.errors import DefinitionError, InvalidInput, InvalidValue
from keystroke.testing import KitProblem, TestKit, run


class Signup(BaseModel):
    name: str
    password: SecretStr = SecretStr("none")


class NoStock(Exception):
    pass


@action
def research(signup: Signup, ctx: Context) -> str:
    ctx.usage.add("model", "mini", quantity=12, unit="tokens", cost="0.0042")
    print(f"looking up {signup.name}")
    return f"{signup.name} works."


@action(retries=3)
def score(text: str, *, factor: int = 2) -> int:
    return len(text) * factor


@action
def reserve(name: str) -> str:
    raise NoStock(f"no {name} left")


@workflow("signup", tags={"team": "sales"})
def signup(lead: Signup, ctx: Context) -> dict[str, object]:
    ctx.progress(0.5, "half")
    logging.getLogger("mine").info("in the body")
    text = research(lead, ctx)
    return {"text": text, "score": score(text), "at": ctx.now().isoformat(), "luck": ctx.random()}


@workflow("many")
def many(lengths: list[str], ctx: Context) -> list[int]:
    return ctx.map(score, lengths, concurrency=4)


@workflow("many-async")
async def many_async(lengths: list[str], ctx: AsyncContext) -> list[int]:
    await ctx.progress(0.1)

    async def one(text: str) -> int:
        return score(text)

    return list(await asyncio.gather(*(one(text) for text in lengths)))


@workflow("order")
def order(name: str) -> str:
    try:
        return reserve(name)
    except NoStock as error:
        return f"sorry: {error}"


@pytest.fixture
def kit() -> Iterator[TestKit]:
    with TestKit() as made:
        yield made


def test_a_run_and_everything_that_is_known_of_it(kit: TestKit) -> None:
    result = kit.run(signup, {"name": "Ada"}, tags={"region": "eu"})
    assert (result.status, result.workflow, result.attempts) == ("success", "signup", 1)
    assert result.output["text"] == "Ada works."
    assert list(result.steps) == ["research#0", "score#0"]
    assert result.steps["score#0"].output == 20
    assert result.usage.total_cost == Decimal("0.0042")
    assert [item.name for item in result.usage.items] == ["mini"]
    assert [(line.body, line.step) for line in result.logs] == [
        ("in the body", None),
        ("looking up Ada", "research#0"),
    ]
    assert "research#0" in [span.name for span in result.trace]
    assert result.tags == {"team": "sales", "region": "eu"}
    assert result.progress is not None
    assert (result.progress.fraction, result.progress.message) == (0.5, "half")
    assert result.error is None
    assert repr(result) == "<run of signup: success>"


def test_two_kits_give_the_same_run(kit: TestKit) -> None:
    kit.now = kit.now.replace(year=2040)
    first = kit.run(signup, {"name": "Ada"})
    with TestKit(kit.now.replace(microsecond=0)) as other:
        assert other.run(signup, {"name": "Ada"}).output == first.output
    assert first.output["at"].startswith("2040-")
    assert kit.run(signup, {"name": "Ada"}).output["luck"] != first.output["luck"]


def test_input_is_json_or_what_the_parameter_takes(kit: TestKit) -> None:
    secret = Signup(name="Ada", password=SecretStr("hunter2"))
    result = kit.run(signup, secret)
    assert result.steps["research#0"].input["signup"] == {"name": "Ada", "password": "hunter2"}
    with pytest.raises(InvalidInput, match=r"workflow signup: \$: 'name' is a required property"):
        kit.run(signup, {"nam": "Ada"})
    with pytest.raises(InvalidValue, match="input of signup"):
        kit.run(signup, object())
    with pytest.raises(TypeError, match="a function that @workflow decorates"):
        kit.run(lambda: None)  # type: ignore[arg-type]


def test_threads_of_map_and_tasks(kit: TestKit) -> None:
    texts = ["a" * length for length in range(20)]
    for flow in (many, many_async):
        assert kit.run(flow, texts).output == [length * 2 for length in range(20)]
        assert len(kit.runs[-1].steps) == 20


def test_it_runs_inside_of_an_event_loop(kit: TestKit) -> None:
    async def test() -> object:
        return kit.run(many_async, ["a", "bb"]).output

    assert asyncio.run(test()) == [2, 4]


def test_a_failure_is_told_by_the_run(kit: TestKit) -> None:
    @workflow("reckless")
    def reckless(name: str) -> str:
        return reserve(name)

    result = kit.run(reckless, "tea")
    assert (result.status, result.status_reason) == ("failed", "user_error")
    assert result.error is not None
    assert (result.error.type, result.error.message) == (f"{__name__}.NoStock", "no tea left")
    assert result.error.step == "reserve#0"
    assert [frame.function for frame in result.error.stack] == ["reckless", "reserve"]
    assert "failed (user_error)" in repr(result)
    assert "no tea left" in repr(result)


def test_exceptions_of_the_authors_modules_arrive_as_they_are(kit: TestKit) -> None:
    assert kit.run(order, "tea").output == "sorry: no tea left"


def test_faulty_definitions_are_told(kit: TestKit) -> None:
    @workflow("faulty")
    def faulty(one: int, two: int) -> None:
        """Two inputs."""

    with pytest.raises(DefinitionError, match="make them fields of one model"):
        kit.run(faulty)


def test_a_step_that_is_not_there_names_those_that_are(kit: TestKit) -> None:
    with pytest.raises(KeyError, match=r"no step scor#0 is on record; there are: research#0, score#0"):
        _ = kit.run(signup, {"name": "Ada"}).steps["scor#0"]


def test_new_code_of_a_slug_is_deployed(kit: TestKit) -> None:
    def version(number: int) -> object:
        @workflow("versioned")
        def versioned() -> int:
            return number

        return versioned

    for number in (1, 2):
        assert kit.run(version(number)).output == number  # type: ignore[arg-type]


def test_without_a_fixture() -> None:
    assert run(signup, {"name": "Ada"}).output["score"] == 20


def test_nothing_is_left_behind(kit: TestKit) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), sys.stdout, threading.active_count())
    kit.run(signup, {"name": "Ada"})
    assert (root.level, list(root.handlers), sys.stdout, threading.active_count()) == before


def test_a_run_is_canceled_where_it_is(kit: TestKit) -> None:
    cleaned = []

    @workflow("stubborn")
    def stubborn(ctx: Context) -> int:
        try:
            return score("abc")
        except RunCanceled:
            cleaned.append(ctx.run_id)
            raise

    kit.stub("score", calls=lambda _text: kit.cancel(kit.runs[0]))
    result = kit.run(stubborn)
    assert result.status == "canceled"
    assert cleaned == [result.id]


def test_what_it_says_where_nothing_was_run() -> None:
    with TestKit() as kit:
        assert kit.runs == []
        kit.advance("1d")
        with pytest.raises(KitProblem, match="goes forward only"):
            kit.advance(kit.now.replace(year=2000))


def test_ctrl_c_ends_the_test_and_not_just_the_run(kit: TestKit) -> None:
    kit.stub("score", calls=lambda _text: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        kit.run(many, ["a"])
