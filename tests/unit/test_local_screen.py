"""The lines of `keystroke dev`: named, coloured where that helps, and no hindrance when nobody reads them any more."""

from __future__ import annotations

import io

import pytest

from keystroke.local.screen import Screen


class Closed(io.StringIO):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_each_line_stands_behind_the_name_of_its_program() -> None:
    stream = io.StringIO()
    Screen(stream).write("api", "one\ntwo")
    Screen(stream).write("worker", "")
    assert stream.getvalue() == "api    | one\napi    | two\nworker | \n"


def test_colours_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    Screen(stream).write("api", "one")
    assert stream.getvalue() == "\x1b[36mapi    |\x1b[0m one\n"
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(stream).write("api", "two")
    assert stream.getvalue().endswith("\napi    | two\n")


def test_a_terminal_that_was_closed_stops_nobody() -> None:
    screen = Screen(Closed())
    screen.write("api", "one")
    screen.say("two")
