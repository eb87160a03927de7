"""Reading runs: the list, one of them with all that belongs to it, its logs and spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response

from keystroke.clock import from_micros
from keystroke.domain import presentation
from keystroke.domain.run import Run
from keystroke.domain.scope import Scope
from keystroke.domain.sentences import sentence_of
from keystroke.errors import RunNotFound
from keystroke.ids import RUN_ID_PREFIX
from keystroke.operations.api_keys import Principal
from keystroke.store import Tx, expiry, history
from keystroke.store.standing import get_standing
from keystroke_api.answers import json_answer, to_cursor
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import LogList, RunDocument, RunList, SpanList
from keystroke_api.rest.filters import LinesQuery, RunQuery, RunsQuery
from keystroke_api.rest.texts import API
from keystroke_api.services import services

_RUN_ID_LENGTH = 30
_MOST_LINES = 1000


@operation("GET", f"{API}/runs", role=Role.VIEWER, answers={200: Answer("Part of the list.", RunList)})
def list_runs(caller: Principal, query: RunsQuery) -> Response:
    """The runs that fit all filters, newest first."""
    return json_answer(list_run_page(caller, query))


@operation(
    "GET",
    f"{API}/runs/<run_id>",
    role=Role.VIEWER,
    problems=(404,),
    answers={200: Answer("The run.", RunDocument)},
)
def get_run(caller: Principal, run_id: str, query: RunQuery) -> Response:
    """One run, by its id or an unambiguous beginning of it."""
    return json_answer(read_run(caller, run_id, query.parts))


@operation(
    "GET", f"{API}/runs/<run_id>/logs", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("Part of the logs.", LogList)},
)  # fmt: skip
def list_run_logs(caller: Principal, run_id: str, query: LinesQuery) -> Response:
    """The run's logs, oldest first."""
    after = query.after
    with services().database.read() as tx:
        run = history.get_run(caller.scope, tx, whole_run_id(caller.scope, tx, run_id))
        lines = history.list_logs(caller.scope, tx, run.id, after=after, limit=query.limit + 1)
    rows = [(number, presentation.log_json(line)) for number, line in lines]
    return json_answer(_part(rows, query))


@operation(
    "GET", f"{API}/runs/<run_id>/spans", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("Part of the spans.", SpanList)},
)  # fmt: skip
def list_run_spans(caller: Principal, run_id: str, query: LinesQuery) -> Response:
    """The run's spans, in order of writing."""
    after = query.after
    with services().database.read() as tx:
        run = history.get_run(caller.scope, tx, whole_run_id(caller.scope, tx, run_id))
        spans = history.list_spans(caller.scope, tx, run.id, after=after, limit=query.limit + 1)
    rows = [(number, presentation.span_json(span, run.trace_id)) for number, span in spans]
    return json_answer(_part(rows, query))


def list_run_page(caller: Principal, query: RunsQuery) -> dict[str, Any]:
    """The JSON of a part of the list."""
    with services().database.read() as tx:
        found = history.list_runs(caller.scope, tx, query.filter, query.page)
    hidden = _hidden()
    return {
        "data": [presentation.summary_json(run, hidden) for run in found.runs],
        "next_cursor": to_cursor(found.runs[-1].id) if found.has_more else None,
        "has_more": found.has_more,
    }


def whole_run_id(scope: Scope, tx: Tx, run_id: str) -> str:
    """The id of the run that is meant by an id or its beginning; RunNotFound for what can be neither."""
    if not RUN_ID_PREFIX.match(run_id):
        raise RunNotFound(run_id=run_id)
    return run_id if len(run_id) == _RUN_ID_LENGTH else history.find_run_id(scope, tx, run_id)


def read_run(
    caller: Principal, run_id: str, parts: frozenset[str] = frozenset(), *, most_lines: int = _MOST_LINES
) -> dict[str, Any]:
    """The JSON of a run with the parts that were asked for, all as of one moment.

    The trace has the first `most_lines` spans and log lines; as the part `spans` it has no log lines.
    """
    hidden = _hidden()
    with services().database.read() as tx:
        run = history.get_run(caller.scope, tx, whole_run_id(caller.scope, tx, run_id))
        document = presentation.run_json(run, hidden)
        document["status_detail"] = _explained(caller.scope, tx, run, document)
        if "steps" in parts:
            steps = history.list_steps(caller.scope, tx, run.id)
            document["steps"] = [presentation.step_json(step, hidden) for step in steps]
        if "attempts" in parts:
            attempts = history.list_attempts(caller.scope, tx, run.id)
            document["attempts"] = [presentation.attempt_json(attempt) for attempt in attempts]
        if "timeline" in parts:
            timeline = history.list_timeline(caller.scope, tx, run.id)
            document["timeline"] = [presentation.timeline_json(entry) for entry in timeline]
        if parts & {"trace", "spans"}:
            lines = most_lines if "trace" in parts else 0
            document["trace"] = _trace(caller.scope, tx, run, most_lines, lines)
    return document


def _explained(scope: Scope, tx: Tx, run: Run, document: dict[str, Any]) -> str:
    """Why the run is where it is, in a sentence with the numbers of this moment."""
    standing = get_standing(scope, tx, run.id, run.status_reason)
    elapsed = presentation.milliseconds(run.started_at, run.finished_at or from_micros(expiry.now(tx)))
    return sentence_of(document, elapsed, standing)


def _trace(scope: Scope, tx: Tx, run: Run, most_spans: int, most_logs: int) -> dict[str, Any]:
    spans = history.list_spans(scope, tx, run.id, limit=most_spans)
    logs = history.list_logs(scope, tx, run.id, limit=most_logs)
    return {
        "trace_id": run.trace_id,
        "spans": [presentation.span_json(span, run.trace_id) for _, span in spans],
        "logs": [presentation.log_json(line) for _, line in logs],
    }


def _part(rows: Sequence[tuple[int, dict[str, Any]]], query: LinesQuery) -> dict[str, Any]:
    """The cursor is there at the end too: a run that goes on writes further lines behind it."""
    shown = rows[: query.limit]
    return {
        "data": [line for _, line in shown],
        "next_cursor": str(shown[-1][0]) if shown else query.cursor,
        "has_more": len(rows) > query.limit,
    }


def _hidden() -> frozenset[str]:
    return frozenset(key.lower() for key in services().settings.redact)
