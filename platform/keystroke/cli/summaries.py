"""`--summary`: the short form of an answer, as values that JSON, YAML and tables show alike."""

from __future__ import annotations

from typing import Any, Final

_SHORT: Final = {
    "run": (
        "id",
        "workflow",
        "status",
        "status_reason",
        "status_detail",
        "created_at",
        "duration_ms",
        "output",
    ),
    "runs": ("id", "workflow", "status", "created_at", "duration_ms"),
    "workflow": ("slug", "name", "description"),
    "workflows": ("slug", "name"),
    "hook": ("id", "name", "status", "run_id", "answered_at"),
    "hooks": ("id", "name", "run_id", "workflow", "created_at"),
    "queue": ("name", "paused_at", "depth"),
    "queues": ("name", "paused_at", "depth"),
    "workers": ("id", "state", "running"),
    "notifications": ("id", "type", "status", "last_error"),
    "secret": ("name", "updated_at", "previous_until"),
    "trigger": ("slug", "kind", "health", "next_at", "url"),
    "triggers": ("slug", "kind", "health", "next_at"),
    "event": ("id", "at", "outcome", "run_ids", "error"),
    "events": ("id", "at", "outcome", "run_ids"),
    "backfill": ("id", "status", "total", "fires", "fired", "skipped", "failed"),
    "state": ("state", "version"),
    "secrets": ("name", "updated_at", "previous_until"),
    "api_keys": ("prefix", "name", "role"),
}


def summarize(value: Any, kind: str) -> Any:
    """The fields of a kind that say most; of a failed run, its error instead of its output."""
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return value | {"data": summarize(value["data"], kind)}
    if isinstance(value, list):
        return [summarize(row, kind) for row in value]
    fields = _SHORT.get(kind)
    if fields is None or not isinstance(value, dict):
        return value
    short = {field: value[field] for field in fields if field in value}
    error = value.get("error")
    if kind == "run" and error:
        short.pop("output", None)
        short["error"] = f"{error.get('type')}: {error.get('message')}"
    return short
