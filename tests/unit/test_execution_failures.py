"""Failures for people, exceptions taken apart and rebuilt, and what is kept of the log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keystroke.authoring.exceptions import ActionFailed, Fatal
from keystroke.domain.trace import LogLine
from keystroke.execution.failures import describe, essence
from keystroke.execution.journal import Phase
from keystroke.execution.rebuilding import rebuild, take_apart
from keystroke.execution.seeds import random_number, random_uuid
from keystroke.execution.tags import RunTags
from keystroke.execution.trace_buffer import TraceBuffer, log_line

HERE = Path(__file__).parent
MODULES = frozenset({__name__})
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Refused(Exception):
    """An exception of the project's own."""

    class Twice(Exception):
        """One inside of it."""


class Unspeakable(Exception):
    """Its message raises."""

    def __str__(self) -> str:
        raise ValueError("no")


def rebuilt(error: BaseException) -> BaseException:
    return rebuild(take_apart(error, HERE, "pay#0"), MODULES)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a", 1),
        KeyError("k"),
        Refused(None, {"a": [1]}),
        Refused.Twice("x"),
        Fatal("f"),
        SystemExit(3),
    ],
)
def test_an_exception_is_rebuilt_from_its_record(error: BaseException) -> None:
    again = rebuilt(error)
    assert (type(again), again.args) == (type(error), error.args)


@pytest.mark.parametrize(
    "error", [ValueError(object()), ValueError((1, 2)), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")]
)
def test_what_cannot_be_rebuilt_is_action_failed(error: BaseException) -> None:
    again = rebuilt(error)
    assert isinstance(again, ActionFailed)
    assert (again.type, again.step) == (type(error).__name__, "pay#0")


def test_classes_of_other_modules_are_not_looked_up() -> None:
    assert isinstance(rebuild(take_apart(Refused("x"), HERE, "pay#0"), frozenset()), ActionFailed)


def test_a_failure_shows_own_frames_only() -> None:
    def recurse(depth: int) -> None:
        if depth == 0:
            raise Refused("deep")
        recurse(depth - 1)

    with pytest.raises(Refused) as caught:
        recurse(200)
    failure = describe(caught.value, HERE)
    assert {frame.path for frame in failure.stack} == {"test_execution_failures.py"}
    assert len(failure.stack) == 40
    assert failure.stack[-1].code == 'raise Refused("deep")'


def test_messages_that_cannot_be_stored_or_shown() -> None:
    assert describe(ValueError("a\x00b\ud800"), HERE).message == "a\N{REPLACEMENT CHARACTER}b?"
    assert "cannot be shown" in describe(Unspeakable(), HERE).message
    assert len(describe(ValueError("x" * 100_000), HERE).message) < 9_000


def test_the_one_exception_of_a_group_is_the_failure() -> None:
    inner = ValueError("inner")
    assert essence(ExceptionGroup("a", [ExceptionGroup("b", [inner])])) is inner
    assert describe(ExceptionGroup("a", [inner, KeyError()]), HERE).type == "ExceptionGroup"


def line(text: str) -> LogLine:
    return log_line(NOON, "INFO", text, "test", None, None)


def test_lines_beyond_the_cap_are_counted_by_one_note() -> None:
    buffer = TraceBuffer(2)
    for text in "abcd":
        buffer.add_line(line(text), Phase.LIVE)
    _, lines = buffer.drain()
    assert [each.body for each in lines[:2]] == ["a", "b"]
    assert "Cut here" in lines[2].body
    assert len(lines) == 3


def test_what_is_said_after_the_last_record_is_kept_only_if_no_step_follows() -> None:
    buffer = TraceBuffer(9)
    buffer.add_line(line("replayed"), Phase.REPLAYING)
    buffer.add_line(line("said before"), Phase.PAST_RECORDS)
    buffer.drop_aside()
    buffer.add_line(line("new"), Phase.LIVE)
    buffer.keep_aside()
    assert [each.body for each in buffer.drain()[1]] == ["new"]
    buffer.add_line(line("tail"), Phase.PAST_RECORDS)
    buffer.keep_aside()
    spans, lines = buffer.drain()
    buffer.put_back(spans, lines)
    assert [each.body for each in buffer.drain()[1]] == ["tail"]


def test_long_lines_are_cut() -> None:
    assert line("x" * 100_000).body.endswith("(cut: 100000 characters)")


def test_seeds_give_the_same_values_again() -> None:
    assert (
        random_number("seed", "random#0")
        == random_number("seed", "random#0")
        != random_number("seed", "random#1")
    )
    assert 0 <= random_number("seed", "x") < 1
    assert random_uuid("seed", "uuid#0").version == 4


def test_tags_are_recorded_when_they_change() -> None:
    recorded: list[dict[str, str]] = []
    tags = RunTags({"a": "1"}, lambda now: recorded.append(dict(now)))
    tags["a"] = "1"
    tags.update({"b": "2"}, c="3")
    del tags["a"]
    assert recorded == [{"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "3"}]
    with pytest.raises(TypeError, match="text by text"):
        tags["n"] = 3  # type: ignore[assignment]
