"""A run as lists show it."""

from __future__ import annotations

from keystroke.clock import to_micros
from keystroke.domain import presentation
from keystroke.domain.run import Run
from keystroke_api.services import services
from keystroke_api.ui.contexts import RunRow
from keystroke_api.ui.sentences import sentence_of
from keystroke_api.ui.showing import now_micros


def run_row(run: Run) -> RunRow:
    """The run's record with its duration so far and why it is where it is."""
    record = presentation.summary_json(run, hidden_keys())
    began, ended = to_micros(run.started_at), to_micros(run.finished_at)
    elapsed = None if began is None else ((now_micros() if ended is None else ended) - began) // 1000
    return RunRow(record, sentence_of(record, elapsed), elapsed, active=not run.status.terminal)


def hidden_keys() -> frozenset[str]:
    """Keys whose values are never displayed, in lower case."""
    return frozenset(key.lower() for key in services().settings.redact)
