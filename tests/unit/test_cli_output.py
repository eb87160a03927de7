"""The forms of an answer: JSON, YAML, tables, one value, the short form."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from typing import Any

import pytest
import yaml

from keystroke.cli.output import pick, show
from keystroke.cli.refusals import ValueNotThere
from keystroke.cli.session import Session
from keystroke.cli.summaries import summarize
from keystroke.cli.tables import duration

RUN: dict[str, Any] = {
    "id": "run_01jd3v5w0gf8tbm5zbbdb40jyq", "workflow": "signup-pipeline", "status": "success", "status_reason": None,
    "trigger": {"type": "cli", "label": "CLI", "value": None}, "created_at": "2026-11-23T19:25:00.000000Z",
    "duration_ms": 2140, "output": {"brief": "Ada\nLovelace", "scores": [1, 2]}, "error": None, "tags": {},
    "steps": [{"identity": "research#0", "kind": "action", "status": "success", "attempt": 1, "duration_ms": 12}],
}  # fmt: skip
FAILED = RUN | {
    "status": "failed",
    "output": None,
    "error": {"type": "ValueError", "message": "no such account"},
}
PAGE = {"data": [RUN, FAILED], "next_cursor": "abc", "has_more": True}


class Terminal(io.StringIO):
    """A stdout that claims to be a terminal."""

    def isatty(self) -> bool:
        return True

    def show(self, value: Any, *, kind: str, session: Session) -> str:
        """What is printed on it, without colours."""
        with redirect_stdout(self):
            show(value, kind=kind, session=session)
        return re.sub("\x1b\\[[0-9;]*m", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 120 columns."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TZ", "UTC")
    return Terminal()


def test_json_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    show(RUN, kind="run", session=Session())
    assert json.loads(capsys.readouterr().out) == RUN


def test_a_table_on_a_terminal(terminal: Terminal) -> None:
    printed = terminal.show(PAGE, kind="runs", session=Session())
    assert printed.splitlines()[0].split() == ["Run", "Workflow", "Status", "Trigger", "Created", "Duration"]
    assert "run_01jd3v5w0gf8tbm5zbbdb40jyq  signup-pipeline  success" in printed
    assert "2.1 s" in printed
    assert "--cursor abc" in printed


@pytest.mark.parametrize("columns", [40, 60, 72, 80, 100, 120])
def test_what_is_copied_from_a_table_is_never_broken(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [{**RUN, "workflow": slug} for slug in ("signup-pipeline", "x")]
    printed = terminal.show({**PAGE, "data": rows}, kind="runs", session=Session())
    lines = printed.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("run_01jd3v5w0gf8tbm5zbbdb40jyq  signup-pipeline  success")
    if columns >= 72:
        assert max(map(len, lines)) <= columns
    assert ("Created" in lines[0]) == (columns >= 72)


def test_a_run_as_a_table_has_its_fields_and_its_steps(terminal: Terminal) -> None:
    printed = terminal.show(RUN, kind="run", session=Session())
    assert "signup-pipeline" in printed
    assert "research#0" in printed
    assert "error" not in printed


def test_an_empty_list_says_so(terminal: Terminal) -> None:
    printed = terminal.show(
        {"data": [], "next_cursor": None, "has_more": False}, kind="runs", session=Session()
    )
    assert printed == "no runs\n"


def test_prose_gives_way_before_what_is_kept_whole(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [
        {
            "slug": "o-cancel-running", "kind": "schedule", "next_at": "2026-11-24T05:25:49Z",
            "health": {"status": "paused", "why": "Its last 3 runs have failed."},
            "last_event": {"outcome": "skipped_overlap"}, "attachments": [{"workflow": "failing"}],
        }
    ]  # fmt: skip
    shown = terminal.show(rows, kind="triggers", session=Session())
    assert shown.splitlines()[0].endswith("Starts ")
    assert "failing" in shown


def test_what_a_trial_would_start_and_when_a_pause_ends_are_in_words(terminal: Terminal) -> None:
    tried = {"paused_until": "2026-11-24T05:25:49.735594Z", "would_start": []}
    shown = terminal.show(tried, kind="dry_run", session=Session())
    assert shown.split() == ["paused_until", "2026-11-24", "05:25:49", "would_start", "nothing"]


def test_markup_in_values_is_text(terminal: Terminal) -> None:
    printed = terminal.show(RUN | {"workflow": "[red]x[/red]"}, kind="run", session=Session())
    assert "[red]x[/red]" in printed


def test_a_terminal_is_not_steered_by_values(terminal: Terminal) -> None:
    error = {"type": "ValueError", "message": "a\x1b[2Jb\x9bc\r\x7f"}
    printed = terminal.show(
        RUN | {"error": error, "output": "x\x1b]0;title\x07\ny"}, kind="run", session=Session()
    )
    assert "x\\x1b]0;title\\x07" in printed
    assert not set(printed) & set("\x1b\x07\x7f\x9b\r")


def test_the_queues_of_a_worker_are_one_line(terminal: Terminal) -> None:
    worker = {"id": "wrk_1", "queues": ["default", "reports"], "running": 0}
    printed = terminal.show({"data": [worker], "has_more": False}, kind="workers", session=Session())
    assert "wrk_1   default, reports  0" in printed


def test_the_form_that_was_asked_for_wins(terminal: Terminal) -> None:
    printed = terminal.show(RUN, kind="run", session=Session(output="json"))
    assert json.loads(printed) == RUN


def test_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    show(RUN, kind="run", session=Session(output="yaml"))
    assert yaml.safe_load(capsys.readouterr().out) == RUN


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("output.brief", "Ada\nLovelace\n"),
        ("duration_ms", "2140\n"),
        ("error", "null\n"),
        ("output.scores", "[\n  1,\n  2\n]\n"),
        ("output.scores.1", "2\n"),
        ("steps.0.identity", "research#0\n"),
    ],
)
def test_one_value(capsys: pytest.CaptureFixture[str], path: str, printed: str) -> None:
    show(RUN, kind="run", session=Session(field=path))
    assert capsys.readouterr().out == printed


def test_a_value_of_each_row() -> None:
    assert pick(PAGE, "status") == ["success", "failed"]
    assert pick(PAGE, "1.status") == "failed"
    assert pick(PAGE, "next_cursor") == "abc"


@pytest.mark.parametrize(
    "path", ["output.nothing", "nothing", "output.brief.more", "output.scores.7", "steps.x"]
)
def test_a_value_that_is_not_there_names_what_is(path: str) -> None:
    with pytest.raises(ValueNotThere, match=rf"There is no {path} in the answer"):
        pick(RUN, path)


def test_the_short_form_of_a_run() -> None:
    assert summarize(RUN, "run")["output"] == RUN["output"]
    short = summarize(FAILED, "run")
    assert short["error"] == "ValueError: no such account"
    assert "output" not in short


def test_the_short_form_of_a_list_keeps_its_paging() -> None:
    short = summarize(PAGE, "runs")
    assert short["has_more"] is True
    assert list(short["data"][0]) == ["id", "workflow", "status", "created_at", "duration_ms"]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (2140, "2.1 s"),
        (200_000, "3 min 20 s"),
        (7_500_000, "2 h 5 min"),
        (2e8, "2 d 7 h"),
    ],
)
def test_durations_read_well(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


def test_a_timeline_fits_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    entry = {
        "at": "2026-11-23T19:25:00Z", "transition": "fail", "status": "failed", "reason": "user_error", "attempt": 1,
        "worker": "wrk_01m8542w66e4cv7sm11ydmfz9n", "actor": {"type": "system", "id": None, "name": "Keystroke"},
    }  # fmt: skip
    printed = terminal.show({"id": "run_1", "timeline": [entry]}, kind="run", session=Session())
    assert max(map(len, printed.splitlines())) <= 80
    assert "11-23 19:25  fail        failed  user_error" in printed


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_the_beginning_of_a_key_is_shown_whole(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    key = {
        "prefix": "ks_y1m1ME18", "name": "deploys from the pipeline", "role": "runner", "project": "quickstart",
        "created_at": "2026-11-23T19:25:00Z", "last_used_at": None, "expires_at": "2027-02-21T19:25:00Z",
    }  # fmt: skip
    printed = terminal.show([key], kind="api_keys", session=Session())
    assert "ks_y1m1ME18" in printed
    assert "deploys" in printed
    assert "runner  quickstart" in printed
    assert max(map(len, printed.splitlines())) <= max(columns, 65)
