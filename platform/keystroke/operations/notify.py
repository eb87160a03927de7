"""Notifications, as parts of the transactions in which something happens that needs a person's attention.

Where no address is configured to tell anybody (`notify_url`), nothing is written.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from keystroke.clock import rfc3339
from keystroke.domain.secrets import redact_tokens
from keystroke.domain.source import SourceManifest, attachment_id
from keystroke.domain.states import Status
from keystroke.settings import Settings
from keystroke.store import Tx, failed_runs, notifications
from keystroke.store.failed_runs import ScheduledFailure
from keystroke.store.runs import Moved
from keystroke.store.sources import Source

_LONGEST_MESSAGE: Final = 2_000


def notify_run_failed(tx: Tx, moved: Moved, settings: Settings) -> None:
    """A run that a schedule started by the clock has just failed for good; of all other runs nothing is told."""
    if not settings.notify_url or moved.status is not Status.FAILED:
        return
    failed = failed_runs.scheduled_failure(tx, moved.run_id)
    if failed is None:
        return
    data = {
        "trigger": _trigger(failed.source_id, failed.trigger, "schedule", settings),
        "run": _run(failed, settings),
    }
    notifications.insert_notification(
        tx, moved.project_id, "schedule.run_failed", f"schedule.run_failed:{failed.id}", data,
        source_id=failed.source_id, run_id=failed.id,
    )  # fmt: skip


def notify_late(
    tx: Tx, source_id: str, project_id: str, manifest: SourceManifest, expected: datetime, deadline: datetime,
    succeeded: datetime | None, settings: Settings,
) -> bool:  # fmt: skip
    """No run of a schedule has succeeded in time: the run of `expected`, or a later one, was to by `deadline`."""
    if not settings.notify_url:
        return False
    data = {
        "trigger": _trigger(source_id, manifest.slug, "schedule", settings),
        "expected_at": rfc3339(expected), "deadline": rfc3339(deadline), "last_success_at": rfc3339(succeeded),
    }  # fmt: skip
    once = f"schedule.late:{source_id}:{rfc3339(expected)}"
    return notifications.insert_notification(tx, project_id, "schedule.late", once, data, source_id=source_id)


def notify_paused(tx: Tx, source: Source, failures: int, settings: Settings) -> None:
    """A schedule was paused after so many failures in a row."""
    if not settings.notify_url:
        return
    attachments = [attachment_id(source.slug, each.workflow) for each in source.attachments]
    run_id = failed_runs.last_scheduled_failure(tx, source.project_id, attachments)
    data = {
        "trigger": _trigger(source.id, source.slug, source.manifest.kind, settings),
        "failures": failures, "last_run_id": run_id, "last_run_url": _link(settings, "history", run_id),
    }  # fmt: skip
    once = f"schedule.paused:{source.id}:{rfc3339(source.armed_at)}"
    notifications.insert_notification(
        tx, source.project_id, "schedule.paused", once, data, source_id=source.id, run_id=run_id
    )


def notify_unhealthy(
    tx: Tx, source: Source, tick_id: str, failures: int, error: dict[str, Any] | None, settings: Settings
) -> None:
    """A poll has failed so many times in a row that it shows as unhealthy; `tick_id` and `error` are of the last time."""
    if not settings.notify_url:
        return
    data = {
        "trigger": _trigger(source.id, source.slug, source.manifest.kind, settings),
        "failures": failures, "tick_id": tick_id, "error": _error(error or {}),
    }  # fmt: skip
    once = f"poll.unhealthy:{source.id}:{tick_id}"
    notifications.insert_notification(
        tx, source.project_id, "poll.unhealthy", once, data, source_id=source.id
    )


def _run(failed: ScheduledFailure, settings: Settings) -> dict[str, Any]:
    return {
        "id": failed.id, "workflow": failed.workflow, "reason": failed.reason,
        "error": _error({"type": failed.error_type, "message": failed.error_message}),
        "scheduled_at": rfc3339(failed.scheduled_at), "finished_at": rfc3339(failed.finished_at),
        "url": _link(settings, "history", failed.id),
    }  # fmt: skip


def _trigger(source_id: str | None, slug: str, kind: str, settings: Settings) -> dict[str, Any]:
    return {"id": source_id, "slug": slug, "kind": kind, "url": _link(settings, "triggers", source_id)}


def _error(error: dict[str, Any]) -> dict[str, Any]:
    """Type and message as they may be shown: no tokens of hooks, no novel."""
    message = error.get("message")
    shown = None if message is None else redact_tokens(str(message))[:_LONGEST_MESSAGE]
    return {"type": error.get("type"), "message": shown}


def _link(settings: Settings, page: str, id: str | None) -> str | None:
    if not settings.public_url or id is None:
        return None
    return f"{settings.public_url.rstrip('/')}/{page}/{id}"
