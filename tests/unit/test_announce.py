"""Announcing: one line for one event, as a sentence for people and as fields for machines."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from keystroke.settings import Settings
from keystroke.telemetry import announce
from keystroke.telemetry.context import bound
from keystroke.telemetry.events import BrokerAway, RunClaimed
from keystroke.telemetry.logs import configure_logging

_SETTINGS = Settings(log_format="json", log_level="debug")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, keystroke = logging.getLogger(), logging.getLogger("keystroke")
    before = root.handlers[:], root.level, keystroke.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    keystroke.setLevel(before[2])


def _announced(settings: Settings = _SETTINGS) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(settings, "worker", stream)
    return stream


def test_a_json_line_has_the_sentence_the_name_and_the_fields() -> None:
    stream = _announced()
    with bound(trace_id="abc"):
        announce(RunClaimed("run_1", 2, "charge"))
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "debug", "component": "worker", "event": "run_claimed", "trace_id": "abc",
        "message": "Claimed run_1, attempt 2, of charge.", "run_id": "run_1", "attempt": 2, "workflow": "charge",
    }  # fmt: skip


def test_people_read_the_sentence_alone() -> None:
    stream = _announced(replace(_SETTINGS, log_format="console"))
    announce(RunClaimed("run_1", 2, "charge"))
    assert "Claimed run_1, attempt 2, of charge." in stream.getvalue()
    assert "run_claimed" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_never_shows_local_variables(log_format: str) -> None:
    stream = _announced(replace(_SETTINGS, log_format=log_format))
    password = "hunter" + "2"
    try:
        raise RuntimeError("no answer" if password else "")
    except RuntimeError as error:
        announce(BrokerAway("no answer"), error=error)
    assert "RuntimeError: no answer" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_levels_below_the_configured_one_are_not_written() -> None:
    stream = _announced(replace(_SETTINGS, log_level="warning"))
    announce(RunClaimed("run_1", 2, "charge"))
    assert stream.getvalue() == ""
    announce(BrokerAway("no answer"))
    assert json.loads(stream.getvalue())["level"] == "warning"


def test_lines_of_libraries_come_in_the_same_format() -> None:
    stream = _announced()
    logging.getLogger("some.package").warning("%s of %s", 1, 2)
    assert json.loads(stream.getvalue())["message"] == "1 of 2"
    assert json.loads(stream.getvalue())["logger"] == "some.package"


def test_announcing_imports_no_logging_framework() -> None:
    code = (
        "import sys; from keystroke.telemetry import announce, events; sys.exit('structlog' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
