"""Start what is attached to a source, for one event of it: a part of the transaction that records the delivery or the tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keystroke.box import Box
from keystroke.domain.actor import Actor, Trigger
from keystroke.domain.pruning import pruned
from keystroke.domain.scope import Scope
from keystroke.domain.source import attachment_id
from keystroke.operations.keep_payload import seal_named, without_reserved
from keystroke.operations.start_run import StartedRun, StartRequest, reserve_all, start_all_in
from keystroke.settings import Settings
from keystroke.store import Tx, deployments
from keystroke.store.access import Project
from keystroke.store.sources import Attachment, Source

#: A limit for which a start waits for nobody.
_QUEUING: Final = {"policy": "queue"}


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """What happened at a source: the id of its delivery or tick, and for schedules the time that it stands for.

    `fired_at` None is now, `actor` None the source itself (else whoever fired it by hand); `traceparent` is what the delivery
    brought, `priority` that of its runs in place of their workflow's own.
    """

    id: str
    fired_at: datetime | None = None
    scheduled_at: datetime | None = None
    previous_fire: datetime | None = None
    missed: int | None = None
    actor: Actor | None = None
    traceparent: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """One run to be: a source's attachment with a payload."""

    source: Source
    attachment: Attachment
    payload: Any


def wishes(source: Source, payload: Any, workflow: str | None = None) -> list[Wish]:
    """What a payload of the source starts: each of its active attachments, or that of one workflow, active or not."""
    return [
        Wish(source, each, payload)
        for each in source.attachments
        if each.retired_at is None
        and (each.workflow == workflow if workflow is not None else each.disabled_at is None)
    ]


def start_attached(
    tx: Tx, project: Project, event: SourceEvent, wanted: list[Wish], settings: Settings, box: Box | None
) -> list[StartedRun]:
    """Start them all; the caller wakes what they name (`StartedRun.woken`) after its commit.

    Behind a transform a run begins without an input, which its first attempt makes. Without one the payload is the input, and
    where it does not fit the run fails as `invalid_input`: an event that was accepted is never lost.
    """
    return start_all_in(
        tx, project, [_request(tx, project, event, each, box) for each in wanted], settings, box
    )


def reserve_attached(
    tx: Tx, project: Project, event: SourceEvent, wanted: list[Wish], settings: Settings, box: Box | None
) -> None:
    """Before several `start_attached` of one transaction: take all locks that they need, so that nobody waits in a circle."""
    workflows = deployments.get_workflows(Scope(project.organization_id), tx, project)
    limits = {each: workflow.concurrency for each, workflow in workflows.items() if workflow.concurrency}
    waiting = [each for each in wanted if limits.get(each.attachment.workflow, _QUEUING)["policy"] != "queue"]
    reserve_all(tx, project, [_request(tx, project, event, each, box) for each in waiting], settings, box)


def _request(tx: Tx, project: Project, event: SourceEvent, wish: Wish, box: Box | None) -> StartRequest:
    source, attachment = wish.source, wish.attachment
    manifest, transform = source.manifest, attachment.manifest.transform
    named, payload = attachment_id(source.slug, attachment.workflow), without_reserved(wish.payload)
    return StartRequest(
        workflow=attachment.workflow,
        input=None if transform else _fitting(tx, project, attachment.workflow, payload),
        trigger=Trigger(
            manifest.kind, manifest.label, named, event.id, seal_named(manifest.payload_schema, payload, box), event.fired_at,
            event.scheduled_at, event.previous_fire, event.missed,
        ),
        actor=event.actor or Actor("trigger", source.id, manifest.label),
        traceparent=event.traceparent,
        priority=event.priority,
        behind_transform=named if transform else None,
        keeps_invalid=True,
    )  # fmt: skip


def _fitting(tx: Tx, project: Project, slug: str, payload: Any) -> Any:
    """The payload as the workflow's input: what the source brings besides, and the workflow forbids, is left out."""
    workflow = deployments.get_workflow(Scope(project.organization_id), tx, project, slug)
    return pruned(workflow.input_schema, payload)
