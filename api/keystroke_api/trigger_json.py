"""The JSON of a trigger with how it is doing, for REST and pages alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from keystroke.clock import rfc3339
from keystroke.domain.schedule import Timing
from keystroke.domain.secrets import redact
from keystroke.domain.source import attachment_id
from keystroke.domain.trigger_event import TriggerEvent
from keystroke.domain.trigger_health import health_of
from keystroke.store.access import Project
from keystroke.store.sources import Attachment, Source
from keystroke_api.services import services
from keystroke_api.signing import public_url, signing_of

Json = dict[str, Any]


def summary_json(
    project: Project, source: Source, last: TriggerEvent | None, trouble: str | None = None
) -> Json:
    """A trigger with its newest event; `trouble` is what is wrong with the secret that it needs."""
    manifest, words = source.manifest, hidden()
    return {
        "id": source.id, "slug": source.slug, "kind": manifest.kind, "name": manifest.name,
        "description": manifest.description, "project": project.slug, "source": manifest.source,
        "options": {**redact(_shown_options(source), words)},
        "attachments": [attachment_json(source, each) for each in source.attachments if each.retired_at is None],
        "health": health_of(source, manifest.options, trouble).as_json(), "created_at": rfc3339(source.created_at),
        "retired_at": rfc3339(source.retired_at), "disabled_at": rfc3339(source.disabled_at),
        "paused_until": rfc3339(source.paused_until) if source.paused else None, "armed_at": rfc3339(source.armed_at),
        "next_at": rfc3339(next_at(source)), "last_at": rfc3339(source.last_at), "failures": source.failures,
        "refused": source.refused, "refused_at": rfc3339(source.refused_at),
        "last_event": last.as_json(words) if last else None,
        "url": public_url(source, project), "signing": signing_of(source),
    }  # fmt: skip


def attachment_json(source: Source, attachment: Attachment) -> Json:
    """One attachment of a source."""
    manifest = attachment.manifest
    return {
        "id": attachment_id(source.slug, manifest.workflow), "workflow": manifest.workflow,
        "transform": manifest.transform, "filter": manifest.filter, "disabled_at": rfc3339(attachment.disabled_at),
    }  # fmt: skip


def workflow_triggers(project_sources: list[Source], workflow: str) -> list[Json]:
    """The triggers that start a workflow, in short."""
    return [
        {
            "id": source.id, "slug": source.slug, "kind": source.manifest.kind, "name": source.manifest.name,
            "attachment": attachment_json(source, each), "health": health_of(source, source.manifest.options).as_json(),
            "next_at": rfc3339(next_at(source)),
        }
        for source in project_sources
        for each in source.attachments
        if each.workflow == workflow and each.retired_at is None
    ]  # fmt: skip


def next_at(source: Source) -> datetime | None:
    """When the clock fires a source next: while it is paused, after that; None where no clock does, or it is switched off."""
    if source.manifest.kind == "webhook" or source.retired_at or source.disabled_at:
        return None
    if not source.paused or source.paused_until is None:
        return source.next_at
    try:
        return Timing.from_options(source.manifest.options).next_after(source.paused_until)
    except ValueError:
        return None  # another version has published times that this one does not know


def hidden() -> frozenset[str]:
    """The keys whose values are not shown."""
    return frozenset(key.lower() for key in services().settings.redact)


def _shown_options(source: Source) -> Json:
    """A verifier names its secret, which it is not: that is told by `signing`."""
    return {name: value for name, value in source.manifest.options.items() if name != "verify"}
