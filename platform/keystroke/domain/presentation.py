"""The run record as JSON: one shape everywhere, in HTTP answers, on the command line and in exports.

Nothing here shows a hook's token, wherever in the record it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keystroke.clock import rfc3339
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.run import Attempt, Progress, Run, TimelineEntry
from keystroke.domain.secrets import redact, redact_tokens
from keystroke.domain.step import Step, StepState
from keystroke.domain.trace import LogLine, Span
from keystroke.domain.usage import UsageItem, plain, total_cost

Json = dict[str, Any]


def run_json(run: Run, hidden: frozenset[str]) -> Json:
    """The record of a run; values under the keys in `hidden` (lower case), and sealed ones, are redacted."""
    record = redact_tokens({
        "id": run.id, "kind": run.kind, "workflow": run.workflow, "workflow_name": run.workflow_name,
        "project": run.project, "organization": run.organization, "status": run.status,
        "status_reason": run.status_reason, "trigger": trigger_json(run.trigger, hidden), "actor": actor_json(run.actor),
        "input": None, "output": None, "error": run.error,
        "created_at": rfc3339(run.created_at), "queued_at": rfc3339(run.queued_at),
        "started_at": rfc3339(run.started_at), "finished_at": rfc3339(run.finished_at),
        "duration_ms": milliseconds(run.started_at, run.finished_at),
        "queue_ms": milliseconds(run.queued_at, run.started_at),
        "attempt": run.attempt, "failures": run.failures, "recoveries": run.recoveries, "usage": usage_json(run),
        "progress": progress_json(run.progress) if run.progress else None, "tags": run.tags, "step_count": run.step_count,
        "parent_run_id": run.parent_run_id, "root_run_id": run.root_run_id, "replay_of": run.replay_of,
        "deployment": run.deployment, "cancel_requested_at": rfc3339(run.cancel_requested_at),
        "idempotency_key": run.idempotency_key, "priority": run.priority, "queue": run.queue,
        "expires_at": rfc3339(run.expires_at), "trace_id": run.trace_id,
    })  # fmt: skip
    return record | {
        "input": redact(run.input, hidden),
        "output": redact(run.output, hidden),
    }  # each walked once


def summary_json(run: Run, hidden: frozenset[str]) -> Json:
    """The record as lists show it: without input, output, error and the trigger's payload."""
    record = run_json(run, hidden)
    for name in ("input", "output", "error"):
        del record[name]
    del record["trigger"]["payload"]
    return record


def actor_json(actor: Actor) -> Json:
    """`{type, id, name}`."""
    return {"type": actor.type, "id": actor.id, "name": actor.name}


def trigger_json(trigger: Trigger, hidden: frozenset[str]) -> Json:
    """`{type, label, value, id, payload, fired_at}`; of a schedule also `scheduled_at`, `previous_fire` and `missed`."""
    shown = {
        "type": trigger.type, "label": trigger.label, "value": trigger.value, "id": trigger.id,
        "payload": redact(trigger.payload, hidden), "fired_at": rfc3339(trigger.fired_at),
    }  # fmt: skip
    if trigger.scheduled_at is not None:
        shown |= {
            "scheduled_at": rfc3339(trigger.scheduled_at), "previous_fire": rfc3339(trigger.previous_fire),
            "missed": trigger.missed or 0,
        }  # fmt: skip
    return shown


def usage_json(run: Run) -> Json:
    """`{active_ms, line_items, total_cost, currency, models, services}`, costs as exact decimal texts."""
    return {
        "active_ms": run.active_ms, "line_items": [item.as_json() for item in run.usage],
        "total_cost": plain(total_cost(run.usage)), "currency": run.currency,
        "models": _names(run.usage, "model"), "services": _names(run.usage, "service"),
    }  # fmt: skip


def step_json(step: Step, hidden: frozenset[str]) -> Json:
    """The record of a step, with its failed tries."""
    record = redact_tokens({
        "key": step.key, "identity": step.identity, "name": step.name, "kind": step.kind, "status": step.status,
        "attempt": step.attempt, "input": None, "output": None,
        "error": step.error, "started_at": rfc3339(step.started_at), "finished_at": rfc3339(step.finished_at),
        "duration_ms": milliseconds(step.started_at, step.finished_at), "child_run_id": step.child_run_id,
        "due_at": rfc3339(step.due_at), "copied_from": step.copied_from, "tries": [each.as_json() for each in step.tries],
    })  # fmt: skip
    return record | {"input": redact(step.input, hidden), "output": redact(step.output, hidden)}


def span_json(span: Span, trace_id: str) -> Json:
    """A span in OpenTelemetry's terms."""
    return redact_tokens({
        "trace_id": trace_id, "span_id": span.span_id, "parent_span_id": span.parent_id, "name": span.name,
        "kind": span.kind, "start": rfc3339(span.start), "end": rfc3339(span.end), "status": span.status,
        "attributes": span.attributes, "events": list(span.events),
    })  # fmt: skip


def log_json(line: LogLine) -> Json:
    """A log record in OpenTelemetry's terms, with the step it belongs to."""
    return redact_tokens({
        "time": rfc3339(line.at), "severity": line.severity, "body": line.body, "logger": line.logger,
        "span_id": line.span_id, "step": line.step,
    })  # fmt: skip


def step_state_json(step: StepState) -> Json:
    """Where a step is, without its payloads."""
    return redact_tokens({
        "identity": step.identity, "name": step.name, "kind": step.kind, "status": step.status, "attempt": step.attempt,
        "started_at": rfc3339(step.started_at), "finished_at": rfc3339(step.finished_at),
        "duration_ms": milliseconds(step.started_at, step.finished_at),
    })  # fmt: skip


def attempt_json(attempt: Attempt) -> Json:
    """`{number, worker, started_at, ended_at, ended}`."""
    return {
        "number": attempt.number, "worker": attempt.worker, "started_at": rfc3339(attempt.started_at),
        "ended_at": rfc3339(attempt.ended_at), "ended": attempt.ended,
    }  # fmt: skip


def timeline_json(entry: TimelineEntry) -> Json:
    """`{at, transition, status, reason, attempt, worker, actor}`."""
    return redact_tokens({
        "at": rfc3339(entry.at), "transition": entry.transition, "status": entry.status, "reason": entry.reason,
        "attempt": entry.attempt, "worker": entry.worker, "actor": actor_json(entry.actor),
    })  # fmt: skip


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    """Whole milliseconds between two times, None while one of them is open."""
    return None if start is None or end is None else round((end - start).total_seconds() * 1000)


def progress_json(progress: Progress) -> Json:
    """`{fraction, message, updated_at}`."""
    return redact_tokens({
        "fraction": progress.fraction, "message": progress.message, "updated_at": rfc3339(progress.updated_at),
    })  # fmt: skip


def _names(items: Sequence[UsageItem], kind: str) -> list[str]:
    return sorted({item.name for item in items if item.kind == kind})
