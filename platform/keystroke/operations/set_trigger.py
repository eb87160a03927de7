"""Set what operators set on a trigger: disabled or not, a pause, attachments one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keystroke.clock import rfc3339, to_micros
from keystroke.domain.actor import Actor
from keystroke.domain.schedule import Timing
from keystroke.domain.source import attachment_id
from keystroke.errors import InvalidTriggerChange, NotAttached, PathError, TriggerRetired
from keystroke.store import Database, Tx, access, sources, trigger_settings
from keystroke.store.access import Project
from keystroke.store.sources import Source


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause until a time in the future; until None it ends now."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """What is to be set; None, and attachments that are not named, stay as they are."""

    disabled: bool | None = None
    pause: Pause | None = None
    attachments: Mapping[str, bool] = field(default_factory=dict)


def set_trigger(
    database: Database, actor: Actor, project: Project, source_id: str, change: TriggerChange
) -> Source:
    """Set all of it in one transaction, audited where it changes something; the source as it is then.

    A source that begins again (enabled, or resumed before its pause is over) begins anew: it fires at its next time from now
    on, and makes up for nothing. Raises TriggerRetired, NotAttached, InvalidTriggerChange; then nothing was set.
    """
    with database.transaction() as tx:
        source = sources.lock_source(tx, source_id)
        if source.retired_at is not None:
            raise TriggerRetired(trigger=source.slug)
        done = [
            *_switch(tx, source, change),
            *_pause(tx, source, change, actor),
            *_attachments(tx, source, change),
        ]
        for action, target, detail in done:
            access.audit(tx, project.organization_id, actor, action, f"{project.slug}/{target}", detail)
        begins = {"trigger.enable", "trigger.resume"} & {action for action, _, _ in done}
        after = sources.source_of(tx, source_id)
        if begins and after.active:
            arm(tx, after)
        elif change.pause is not None and after.paused and source.manifest.kind == "schedule":
            # Its next time may lie behind a longer pause, or be none at all.
            arm(tx, after, after.paused_until)
        return sources.source_of(tx, source_id)


def arm(tx: Tx, source: Source, since: datetime | None = None) -> None:
    """Let a source begin anew: a schedule fires at its next time from now on, or `since` later, a poll at once."""
    next_at: datetime | None = None
    due: datetime | None = None
    if source.manifest.kind == "poll":
        next_at = due = source.now
    elif source.manifest.kind == "schedule":
        timing = timing_of(source)
        next_at = timing.next_after(since or source.now)
        due = None if next_at is None else timing.due(source.id, next_at)
    trigger_settings.arm(tx, source.id, to_micros(next_at), to_micros(due))


def timing_of(source: Source) -> Timing:
    """When a schedule or a poll fires. InvalidTriggerChange where another version has published what this one does not know."""
    try:
        return Timing.from_options(source.manifest.options)
    except ValueError as error:
        raise InvalidTriggerChange(
            what=f"trigger {source.slug}", errors=[PathError("$", str(error))]
        ) from error


_Done = tuple[str, str, str | None]


def _switch(tx: Tx, source: Source, change: TriggerChange) -> list[_Done]:
    if change.disabled is None or not trigger_settings.set_disabled(tx, source.id, change.disabled):
        return []
    return [("trigger.disable" if change.disabled else "trigger.enable", source.slug, None)]


def _pause(tx: Tx, source: Source, change: TriggerChange, actor: Actor) -> list[_Done]:
    if change.pause is None:
        return []
    until = change.pause.until
    if until is None:
        return [("trigger.resume", source.slug, None)] if trigger_settings.resume(tx, source.id) else []
    if not trigger_settings.pause(tx, source.id, to_micros(until), f"Paused by {actor.name}."):
        wrong = PathError("$.paused_until", "is not in the future")
        raise InvalidTriggerChange(what=f"trigger {source.slug}", errors=[wrong])
    return [("trigger.pause", source.slug, rfc3339(until))]


def _attachments(tx: Tx, source: Source, change: TriggerChange) -> list[_Done]:
    done: list[_Done] = []
    for workflow, disabled in change.attachments.items():
        require_attached(source, workflow)
        if trigger_settings.set_attachment_disabled(tx, source.id, workflow, disabled):
            action = "attachment.disable" if disabled else "attachment.enable"
            done.append((action, attachment_id(source.slug, workflow), None))
    return done


def require_attached(source: Source, workflow: str) -> None:
    """Raise NotAttached for a workflow that the source does not start, disabled or not."""
    known = [each.workflow for each in source.attachments if each.retired_at is None]
    if workflow not in known:
        raise NotAttached(workflow=workflow, trigger=source.slug, known=", ".join(known) or "none")
