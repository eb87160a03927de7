"""Triggers as rows: what makes them fire, what they start, and how they are doing, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.source import attachment_id
from keystroke.domain.trigger_event import TriggerEvent
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.trigger_json import summary_json
from keystroke_api.ui.event_rows import event_row
from keystroke_api.ui.trigger_contexts import AttachmentRow, TriggerRow
from keystroke_api.ui.wording import duration_text

#: The status whose mark and colour a health has, and the word for it.
HEALTH: Final[Mapping[str, tuple[str, str]]] = {
    "ok": ("success", "Active"),
    "unhealthy": ("failed", "Unhealthy"),
    "paused": ("sleeping", "Paused"),
    "disabled": ("canceled", "Disabled"),
    "retired": ("queued", "Retired"),
}


def trigger_row(
    project: Project,
    source: Source,
    workflows: Mapping[str, WorkflowManifest],
    last: TriggerEvent | None,
    trouble: str | None,
) -> TriggerRow:
    """A trigger with its newest event; `workflows` are those of its project, `trouble` what is wrong with its secret."""
    trigger = summary_json(project, source, last, trouble)
    mark, health = HEALTH[trigger["health"]["status"]]
    return TriggerRow(
        trigger=trigger, about=source.manifest.description.partition("\n")[0], url=f"/triggers/{source.id}",
        how=how_it_fires(project, source), mark=mark, health=health,
        attachments=[_attachment(project, source, each, workflows) for each in trigger["attachments"]],
        last=None if last is None else event_row(last, source.id),
    )  # fmt: skip


def how_it_fires(project: Project, source: Source) -> str:
    """`POST /triggers/shop/signup`, `0 2 * * * Europe/Paris`, `every 5 min`."""
    options = source.manifest.options
    if source.manifest.kind == "webhook":
        return f"POST /triggers/{project.slug}/{options['endpoint']}"
    if options.get("every"):
        return f"every {seconds_text(options['every'])}"
    zone = options.get("timezone") or "UTC"
    return f"{options.get('cron')} {zone}"


def seconds_text(seconds: float) -> str:
    """`5 min`, `1 d`: without what is zero."""
    return (
        duration_text(round(seconds * 1000))
        .replace(" 0 s", "")
        .replace(" 0 min", "")
        .replace(" 0 h", "")
        .replace(".0 s", " s")
    )


def _attachment(
    project: Project, source: Source, attachment: dict[str, Any], workflows: Mapping[str, WorkflowManifest]
) -> AttachmentRow:
    slug = attachment["workflow"]
    known = workflows.get(slug)
    words = [word for word in ("filter", "transform") if attachment[word]]
    return AttachmentRow(
        workflow=slug, name=known.name if known else slug,
        url=f"/workflows/{quote(slug)}?project={quote(project.slug)}",
        runs_url=f"/history?trigger={quote(attachment_id(source.slug, slug))}&project={quote(project.slug)}",
        enabled=attachment["disabled_at"] is None, facts=f"behind a {' and a '.join(words)}" if words else "",
    )  # fmt: skip
