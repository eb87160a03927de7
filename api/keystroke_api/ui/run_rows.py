"""A run as lists show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from keystroke.clock import to_micros
from keystroke.domain import presentation
from keystroke.domain.run import Run
from keystroke.domain.sentences import sentence_of
from keystroke_api.services import services
from keystroke_api.ui.contexts import RunRow
from keystroke_api.ui.showing import now_micros


def run_row(run: Run) -> RunRow:
    """The run's record with its duration so far and why it is where it is."""
    record = presentation.summary_json(run, hidden_keys())
    elapsed = elapsed_ms(record)
    return RunRow(record, sentence_of(record, elapsed), elapsed, active=not run.status.terminal)


def elapsed_ms(record: dict[str, Any]) -> int | None:
    """The duration of a run's record, of an active run until now; None before its start."""
    if record["started_at"] is None:
        return None
    if record["duration_ms"] is not None:
        return int(record["duration_ms"])
    return (now_micros() - to_micros(datetime.fromisoformat(record["started_at"]))) // 1000


def hidden_keys() -> frozenset[str]:
    """Keys whose values are never displayed, in lower case."""
    return frozenset(key.lower() for key in services().settings.redact)
