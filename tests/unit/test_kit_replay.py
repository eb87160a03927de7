"""Recorded runs against today's code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from keystroke import Context, action, workflow
from keystroke.errors import SecretUnreadable
from keystroke.testing import KitProblem, TestKit

DONE: list[str] = []


@action
def research(name: str) -> str:
    DONE.append("research")
    return f"{name} works"


@action
def score(text: str, factor: int = 1) -> int:
    DONE.append("score")
    return len(text) * factor


def version(body: Callable[..., Any]) -> Any:
    return workflow("pipeline")(body)


def today(name: str, ctx: Context) -> int:
    text = research(name)
    ctx.sleep("1d")
    return score(text)


def asks_otherwise(name: str, ctx: Context) -> int:
    text = research(name)
    ctx.sleep("2d")
    return score(text)


def scores_otherwise(name: str, ctx: Context) -> int:
    text = research(name)
    ctx.sleep("1d")
    return score(text, factor=2)


def scores_never(name: str, ctx: Context) -> int:
    text = research(name)
    ctx.sleep("1d")
    return len(text)


def researches_twice(name: str, ctx: Context) -> int:
    text = research(name)
    research("somebody else")
    ctx.sleep("1d")
    return score(text)


@pytest.fixture
def kit() -> Iterator[TestKit]:
    DONE.clear()
    with TestKit() as made:
        yield made


def test_the_same_code_matches_and_executes_nothing(kit: TestKit, tmp_path: Path) -> None:
    result = kit.run(version(today), "Ada", skip_time=True)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(result.export()), encoding="utf-8")
    before = list(DONE)
    for recorded in (result, result.export(), file, str(file)):
        replayed = kit.replay(recorded, version(today))
        assert (replayed.ended, replayed.output, replayed.unused) == (True, 9, ())
    assert before == DONE


def test_a_run_that_is_under_way_comes_as_far_as_its_record(kit: TestKit) -> None:
    replayed = kit.replay(kit.run(version(today), "Ada"), version(today))
    assert (replayed.ended, replayed.output, replayed.unused) == (False, None, ())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (asks_otherwise, "step sleep#0 does not match its record"),
        (scores_otherwise, 'recorded: action score\\(factor=1, text="Ada works"\\)'),
        (scores_never, "it comes to its end without score#0"),
    ],
)
def test_code_that_has_changed_is_told_side_by_side(kit: TestKit, code: Any, said: str) -> None:
    result = kit.run(version(today), "Ada", skip_time=True)
    with pytest.raises(KitProblem, match=said) as told:
        kit.replay(result, version(code))
    assert str(told.value).startswith(f"the code does not match the recorded run {result.id}")


def test_a_step_that_came_in_between_is_where_the_record_ends(kit: TestKit) -> None:
    result = kit.run(version(today), "Ada", skip_time=True)
    replayed = kit.replay(result, version(researches_twice))
    assert (replayed.ended, replayed.unused) == (False, ("sleep#0", "score#0"))


def test_what_is_no_recorded_run(kit: TestKit, tmp_path: Path) -> None:
    with pytest.raises(KitProblem, match="this is no recorded run: KeyError: 'id'"):
        kit.replay({"steps": []}, version(today))
    with pytest.raises(FileNotFoundError):
        kit.replay(tmp_path / "gone.json", version(today))


@workflow("secretive")
def secretive(word: SecretStr, ctx: Context) -> int:
    return score(word.get_secret_value())


def test_secrets_need_the_key_that_they_were_kept_with(kit: TestKit) -> None:
    result = kit.run(secretive, "hunter2")
    assert "hunter2" not in json.dumps(result.export()["input"])
    assert kit.replay(result, secretive).output == 7
    with pytest.raises(SecretUnreadable):
        kit.replay(result, secretive, secret_key="the key of some server")
