"""Make a deployment's sources the project's: a part of the transaction in which the deployment becomes current."""

from __future__ import annotations

from keystroke.clock import to_micros
from keystroke.domain.schedule import Timing
from keystroke.domain.source import SourceManifest
from keystroke.store import Tx, deployments, sources
from keystroke.store.access import Project
from keystroke.store.sources import Source

#: What decides when a source fires: where one of these changes, its next time is computed anew.
_TIMING = ("cron", "every", "timezone", "starts_at", "ends_at", "jitter")


def activate(tx: Tx, project: Project, deployment_id: str) -> None:
    """Make the deployment current, with its sources; those that it does not have are retired, their history stays."""
    deployments.activate(tx, project, deployment_id)
    published = deployments.sources_of(tx, project.id, deployment_id)
    sources.lock_project(tx, project.id)
    sources.retire_others(tx, project.id, published)
    for manifest in published.values():
        _publish(tx, project, deployment_id, manifest)


def _publish(tx: Tx, project: Project, deployment_id: str, manifest: SourceManifest) -> None:
    before = sources.of_slug(tx, project.id, manifest.slug)
    source = sources.put_source(tx, project.id, deployment_id, manifest)
    if not (before is not None and before.next_at is not None and _timing(before) == _timing(source)):
        if before is not None:
            sources.set_armed(tx, source.id)
        _set_first_time(tx, source)


def _timing(source: Source) -> tuple[object, ...]:
    return (source.manifest.kind, *(source.manifest.options.get(name) for name in _TIMING))


def _set_first_time(tx: Tx, source: Source) -> None:
    """A poll's first tick comes at once; a schedule's at its first time from now on."""
    if source.manifest.kind == "poll":
        now = to_micros(source.now)
        sources.set_times(tx, source.id, now, now)
    elif source.manifest.kind == "schedule":
        timing = Timing.from_options(source.manifest.options)
        next_at = timing.next_after(source.now)
        due_at = None if next_at is None else timing.due(source.id, next_at)
        sources.set_times(tx, source.id, to_micros(next_at), to_micros(due_at))
