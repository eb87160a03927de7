"""What a payload would start, without starting it: of webhooks and schedules. The dry run of a poll is a tick for a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keystroke.clock import rfc3339
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.pruning import pruned
from keystroke.domain.scope import Scope
from keystroke.domain.source import attachment_id
from keystroke.errors import InvalidInput, PathError
from keystroke.operations.check_input import check_input
from keystroke.operations.invoke_trigger import Firing, check_firing, payload_errors, payload_of
from keystroke.operations.start_attached import Wish, wishes
from keystroke.store import Tx, deployments
from keystroke.store.access import Project
from keystroke.store.sources import Source


@dataclass(frozen=True, slots=True)
class WouldStart:
    """A run that would be: its input is None behind a transform, which its first attempt executes; `errors` say what is wrong."""

    attachment: str
    workflow: str
    transform: bool
    payload: Any
    input: Any
    errors: tuple[PathError, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a payload: by the source's own schema, and for each workflow that it would start.

    With `errors` it would be refused, and start nothing. `held` says why the source starts nothing of itself at the moment.
    """

    errors: tuple[PathError, ...]
    would_start: tuple[WouldStart, ...]
    held: str | None


def try_trigger(scope: Scope, tx: Tx, project: Project, source: Source, firing: Firing) -> Trial:
    """Try a payload. Raises TriggerRetired, NotAttached, NotJson (it is nested too deeply)."""
    check_firing(source, firing)
    errors = tuple(payload_errors(source, firing))
    if errors:
        return Trial(errors, (), _held(source))
    workflows = deployments.get_workflows(scope, tx, project)
    wanted = wishes(source, payload_of(source, firing), firing.workflow)
    made = [_would_start(project, each, workflows.get(each.attachment.workflow)) for each in wanted]
    return Trial((), tuple(made), _held(source))


def _would_start(project: Project, wish: Wish, workflow: WorkflowManifest | None) -> WouldStart:
    slug, transform = wish.attachment.workflow, wish.attachment.manifest.transform
    named = attachment_id(wish.source.slug, slug)
    if transform or workflow is None:
        return WouldStart(named, slug, transform, wish.payload, None, ())
    value = pruned(workflow.input_schema, wish.payload)
    try:
        check_input(workflow, project.current_deployment_id or "", value)
    except InvalidInput as error:
        return WouldStart(named, slug, transform, wish.payload, value, tuple(error.errors))
    return WouldStart(named, slug, transform, wish.payload, value, ())


def _held(source: Source) -> str | None:
    if source.disabled_at is not None:
        return "It is disabled."
    return f"It is paused until {rfc3339(source.paused_until)}." if source.paused else None
