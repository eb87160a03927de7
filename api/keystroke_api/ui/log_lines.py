"""Log lines of a run, filtered by level, step and text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from flask import request

from keystroke.domain import presentation
from keystroke.domain.scope import Scope
from keystroke.domain.trace import LogLine
from keystroke.store import Tx, history
from keystroke_api.ui.contexts import Choice, Logs

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_MOST_SHOWN: Final = 500
_LONGEST_BODY: Final = 4_000
_BATCH: Final = 2_000


def read_logs(scope: Scope, tx: Tx, run_id: str, started_at: datetime | None, cap: int) -> Logs:
    """The newest lines that fit the request's `level`, `step` and `text`, oldest first."""
    level, step = request.args.get("level", ""), request.args.get("step", "")
    text = request.args.get("text", "").strip()
    every = list(_all(scope, tx, run_id, cap))
    fitting = [(number, line) for number, line in every if _fits(line, level, step, text.lower())]
    steps = sorted({line.step for _, line in every if line.step})
    return Logs(
        lines=[shown_line(number, line, started_at) for number, line in fitting[-_MOST_SHOWN:]],
        levels=[Choice("", "All levels", not level)]
        + [Choice(each, f"{each.capitalize()} and worse", each == level) for each in LEVELS[1:4]],
        steps=[Choice("", "All steps", not step)] + [Choice(each, each, each == step) for each in steps[:200]],
        text=text, left_out=max(len(fitting) - _MOST_SHOWN, 0), total=len(every),
    )  # fmt: skip


def _all(scope: Scope, tx: Tx, run_id: str, cap: int) -> Iterable[tuple[int, LogLine]]:
    """Every line on record: there is a cap, and one line that says so."""
    after = read = 0
    while read <= cap:
        batch = history.list_logs(scope, tx, run_id, after=after, limit=_BATCH)
        yield from batch
        if len(batch) < _BATCH:
            return
        read += len(batch)
        after = batch[-1][0]


def _fits(line: LogLine, level: str, step: str, text: str) -> bool:
    severe = (
        level not in LEVELS
        or line.severity not in LEVELS
        or LEVELS.index(line.severity) >= LEVELS.index(level)
    )
    return severe and (not step or line.step == step) and (not text or text in line.body.lower())


def shown_line(number: int, line: LogLine, started_at: datetime | None) -> dict[str, Any]:
    """A line as pages show it: its body cut, its time since the start in milliseconds."""
    offset = None if started_at is None else round((line.at - started_at).total_seconds() * 1000)
    shown = presentation.log_json(line)
    if len(shown["body"]) > _LONGEST_BODY:
        shown["body"] = shown["body"][:_LONGEST_BODY] + " …"
    return {**shown, "number": number, "offset_ms": offset}
