"""Published code versions and their manifests."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from keystroke import ids
from keystroke.clock import from_micros
from keystroke.domain.manifest import Manifest, WorkflowManifest, sources_from_json, workflows_from_json
from keystroke.domain.scope import Scope
from keystroke.domain.source import SourceManifest
from keystroke.errors import DeploymentNotFound, ProjectNotFound, WorkflowNotFound
from keystroke.store.access import Project
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_INSERT: Final = Sql("""
insert into deployments (id, project_id, digest, git_commit, manifest, published_at)
values (:id, :project_id, :digest, :git_commit, :manifest, {now}) on conflict (project_id, digest) do nothing
""")
_BY_DIGEST: Final = Sql("select id from deployments where project_id = :project_id and digest = :digest")
_MANIFEST: Final = Sql("select manifest from deployments where id = :id and project_id = :project_id")
# What has started and not ended is pinned to the code that ran it last.
_LIST: Final = """
select deployments.id, digest, git_commit, manifest, published_at, activated_at, projects.current_deployment_id,
    coalesce(pinned.runs, 0) as active_runs,
    (select count(*) from workers where workers.deployment_id = deployments.id and workers.state = 'alive') as workers
from deployments join projects on projects.id = deployments.project_id
left join (
    select deployment_id, count(*) as runs from runs
    where project_id = :project_id and status in ('queued', 'running', 'sleeping', 'waiting_on_hook')
    and deployment_id is not null group by deployment_id) pinned on pinned.deployment_id = deployments.id
where deployments.project_id = :project_id
"""
_NEWEST: Final = Sql(f"{_LIST} order by deployments.id desc limit :limit")
_ONE: Final = Sql(f"{_LIST} and deployments.id = :id")
_ACTIVATE: Final = Sql("update projects set current_deployment_id = :id where id = :project_id")
_ACTIVATED: Final = Sql("update deployments set activated_at = {now} where id = :id")

#: Manifests by deployment id. A deployment never changes once it is published, so none of this goes stale.
_read: Final[dict[str, dict[str, WorkflowManifest]]] = {}
_MOST_READ: Final = 100


@dataclass(frozen=True, slots=True)
class Deployment:
    """A published code version: the slugs of its workflows, runs that have started on it and go on, workers that have it.

    `current` is whether runs that have not started get it; `activated_at` is when it last became so.
    """

    id: str
    digest: str
    git_commit: str | None
    workflows: tuple[str, ...]
    published_at: datetime
    activated_at: datetime | None
    current: bool
    active_runs: int
    workers: int


def list_deployments(scope: Scope, tx: Tx, project: Project, limit: int) -> list[Deployment]:
    """The project's newest deployments, newest first."""
    _require(scope, project)
    return [_deployment(row) for row in tx.rows(_NEWEST, {"project_id": project.id, "limit": limit})]


def get_deployment(scope: Scope, tx: Tx, project: Project, deployment_id: str) -> Deployment:
    """One deployment of the project; DeploymentNotFound."""
    _require(scope, project)
    row = tx.row(_ONE, {"project_id": project.id, "id": deployment_id})
    if row is None:
        raise DeploymentNotFound(deployment=deployment_id, project=project.slug)
    return _deployment(row)


def insert_deployment(tx: Tx, project: Project, manifest: Manifest) -> tuple[str, bool]:
    """Publish a code version, idempotent by digest: its id, and whether it is new."""
    parameters: dict[str, Any] = {
        "id": ids.new("dep"), "project_id": project.id, "digest": manifest.digest, "git_commit": manifest.git_commit,
        "manifest": json.dumps(manifest.as_json()),
    }  # fmt: skip
    new = tx.run(_INSERT, parameters) == 1
    return str(tx.value(_BY_DIGEST, parameters)), new


def activate(tx: Tx, project: Project, deployment_id: str) -> None:
    """Make a deployment the project's current one."""
    tx.run(_ACTIVATE, {"id": deployment_id, "project_id": project.id})
    tx.run(_ACTIVATED, {"id": deployment_id})


def sources_of(tx: Tx, project_id: str, deployment_id: str) -> dict[str, SourceManifest]:
    """The sources of a published manifest, by slug."""
    return sources_from_json(json.loads(tx.value(_MANIFEST, {"id": deployment_id, "project_id": project_id})))


def get_workflows(scope: Scope, tx: Tx, project: Project) -> dict[str, WorkflowManifest]:
    """The workflows of the project's current deployment, by slug; none where nothing was published."""
    _require(scope, project)
    if project.current_deployment_id is None:
        return {}
    return _published(tx, project.id, project.current_deployment_id)


def get_workflow(scope: Scope, tx: Tx, project: Project, slug: str) -> WorkflowManifest:
    """One workflow of the current deployment; WorkflowNotFound names the nearest slugs."""
    workflows = get_workflows(scope, tx, project)
    if slug in workflows:
        return workflows[slug]
    near = difflib.get_close_matches(slug, workflows, n=3)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise WorkflowNotFound(workflow=slug, project=project.slug, hint=hint)


def _require(scope: Scope, project: Project) -> None:
    """Raise ProjectNotFound for a project of another organization."""
    if project.organization_id != scope.organization_id:
        raise ProjectNotFound(project=project.slug)


def _published(tx: Tx, project_id: str, deployment_id: str) -> dict[str, WorkflowManifest]:
    if deployment_id not in _read:
        text = tx.value(_MANIFEST, {"id": deployment_id, "project_id": project_id})
        if len(_read) >= _MOST_READ:
            _read.clear()
        _read[deployment_id] = workflows_from_json(json.loads(text))
    return _read[deployment_id]


def _deployment(row: Row[Any]) -> Deployment:
    return Deployment(
        row.id, row.digest, row.git_commit, tuple(sorted(workflows_from_json(json.loads(row.manifest)))),
        from_micros(row.published_at), from_micros(row.activated_at), row.id == row.current_deployment_id,
        int(row.active_runs), int(row.workers),
    )  # fmt: skip
