"""Spans and steps of a run over time, as lines with bars; the template draws them as SVG."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, Final

from keystroke.clock import rfc3339
from keystroke_api.ui.contexts import Bar, Waterfall
from keystroke_api.ui.wording import duration_text

Record = dict[str, Any]
_MOST_BARS: Final = 400
_DEEPEST: Final = 12
_WIDTH: Final = 1000.0
#: A bar is never thinner, so that it can be seen.
_THINNEST: Final = 3.0
_TICKS: Final = 4
_STEP: Final = "keystroke.step"
#: Kinds of steps that wait.
_WAITS: Final = frozenset({"sleep", "hook", "workflow"})


def waterfall(record: Record, now: datetime) -> Waterfall:
    """The lines of a run that was read with its steps and its trace."""
    lines = _lines(record)
    _mark_waits(record, lines)
    if not lines:
        return Waterfall([], [], 0)
    stamp = str(rfc3339(now))
    first = min(line["start"] for line in lines)
    last = max(line["end"] or stamp for line in lines)
    total = max(_milliseconds(first, last), 1)
    _number_tries(lines)
    bars = [_bar(line, depth, first, stamp, total) for line, depth in _nested(lines)[:_MOST_BARS]]
    parts = _TICKS if total > _TICKS else 1
    ticks = [
        (_WIDTH * at / parts, duration_text(total * at // parts) if at else "0") for at in range(parts + 1)
    ]
    return Waterfall(bars, ticks, max(len(lines) - _MOST_BARS, 0))


def _lines(record: Record) -> list[Record]:
    """Spans, and the steps that have none yet; under the run itself, which has its own only when it has ended."""
    spans = record["trace"]["spans"]
    lines = [
        {
            "id": span["span_id"], "parent": span["parent_span_id"], "name": span["name"], "start": span["start"],
            "end": span["end"], "status": span["status"], "kind": _kind(span["attributes"]), "detail": span,
        }
        for span in spans
    ]  # fmt: skip
    known = {span["attributes"].get(_STEP) for span in spans}
    parents = {span["span_id"] for span in spans}
    missing = {span["parent_span_id"] for span in spans} - parents
    root = next((line["id"] for line in lines if line["kind"] == "run"), None)
    if root is None and record["started_at"]:
        root = "run"
        lines.append({
            "id": root, "parent": None, "name": record["workflow"], "start": record["started_at"], "kind": "run",
            "end": record["finished_at"], "status": _run_status(record), "detail": {},
        })  # fmt: skip
    for line in lines:
        if line["parent"] in missing and line["id"] != root:
            line["parent"] = root
    lines += [
        {
            "id": step["identity"], "parent": root, "name": step["identity"], "start": step["started_at"],
            "end": step["finished_at"], "status": _step_status(step), "kind": "step", "detail": step,
        }
        for step in record["steps"]
        if step["identity"] not in known and not step["copied_from"]
    ]  # fmt: skip
    return _copied(record, root) + lines


def _copied(record: Record, root: str | None) -> list[Record]:
    """What was executed in another run has no place in the time of this one: lines at its beginning."""
    began = record["started_at"] or record["created_at"]
    return [
        {
            "id": step["identity"], "parent": root, "name": step["identity"], "start": began, "end": began,
            "status": _step_status(step), "kind": "copied", "detail": step,
        }
        for step in record["steps"]
        if step["copied_from"]
    ]  # fmt: skip


def _mark_waits(record: Record, lines: list[Record]) -> None:
    """Sleeping and waiting is no work, and is drawn differently."""
    waits = {step["identity"] for step in record["steps"] if step["kind"] in _WAITS}
    for line in lines:
        if line["kind"] == "step" and line["name"] in waits:
            line["kind"] = "wait"


def _nested(lines: list[Record]) -> list[tuple[Record, int]]:
    """Parents before their children, those of one parent in order of start; without recursion, whatever the depth."""
    ids = {line["id"] for line in lines}
    children: defaultdict[Any, list[Record]] = defaultdict(list)
    for line in sorted(lines, key=lambda each: each["start"]):
        children[line["parent"] if line["parent"] in ids else None].append(line)
    ordered: list[tuple[Record, int]] = []
    waiting = [(line, 0) for line in reversed(children[None])]
    seen: set[str] = set()
    while waiting:
        line, depth = waiting.pop()
        if line["id"] not in seen:
            seen.add(line["id"])
            ordered.append((line, min(depth, _DEEPEST)))
            waiting += [(child, depth + 1) for child in reversed(children[line["id"]])]
    return ordered


def _bar(line: Record, depth: int, first: str, now: str, total: int) -> Bar:
    offset = _milliseconds(first, line["start"])
    length = max(_milliseconds(line["start"], line["end"] or now), 0)
    if line["kind"] == "copied":
        length = line["detail"]["duration_ms"] or 0
    x = min(_WIDTH * offset / total, _WIDTH - _THINNEST)
    return Bar(
        name=line["name"], depth=depth, kind=line["kind"], status=line["status"] if line["end"] else "running",
        offset_ms=offset, duration_ms=length, x=round(x, 1),
        width=round(min(max(_WIDTH * length / total, _THINNEST), _WIDTH - x), 1), detail=line["detail"],
    )  # fmt: skip


def _number_tries(lines: list[Record]) -> None:
    """A step that was tried again has a span for each try: they say which."""
    by_step: defaultdict[str, list[Record]] = defaultdict(list)
    for line in sorted(lines, key=lambda each: each["start"]):
        if line["kind"] == "step":
            by_step[line["name"]].append(line)
    for tries in by_step.values():
        for number, line in enumerate(tries, start=1):
            if len(tries) > 1:
                line["name"] += f" (try {number})"


def _kind(attributes: Record) -> str:
    for name, kind in (("keystroke.run_id", "run"), ("keystroke.outcome", "attempt"), (_STEP, "step")):
        if name in attributes:
            return kind
    return "span"


def _run_status(record: Record) -> str:
    return {"success": "ok", "failed": "error"}.get(record["status"], "unset")


def _step_status(step: Record) -> str:
    status = str(step["status"])
    return {"success": "ok", "failed": "error"}.get(status, status)


def _milliseconds(first: str, last: str) -> int:
    return round((datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() * 1000)
