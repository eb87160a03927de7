"""Published code versions and their manifests."""

from __future__ import annotations

import difflib
import json
from typing import Any, Final

from keystroke import ids
from keystroke.domain.manifest import Manifest, WorkflowManifest, workflows_from_json
from keystroke.domain.scope import Scope
from keystroke.errors import ProjectNotFound, WorkflowNotFound
from keystroke.store.access import Project
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_INSERT: Final = Sql("""
insert into deployments (id, project_id, digest, git_commit, manifest, published_at)
values (:id, :project_id, :digest, :git_commit, :manifest, {now}) on conflict (project_id, digest) do nothing
""")
_BY_DIGEST: Final = Sql("select id from deployments where project_id = :project_id and digest = :digest")
_MANIFEST: Final = Sql("select manifest from deployments where id = :id and project_id = :project_id")
_ACTIVATE: Final = Sql("update projects set current_deployment_id = :id where id = :project_id")
_ACTIVATED: Final = Sql("update deployments set activated_at = {now} where id = :id")

#: Manifests by deployment id. A deployment never changes once it is published, so none of this goes stale.
_read: Final[dict[str, dict[str, WorkflowManifest]]] = {}
_MOST_READ: Final = 100


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


def get_workflows(scope: Scope, tx: Tx, project: Project) -> dict[str, WorkflowManifest]:
    """The workflows of the project's current deployment, by slug; none where nothing was published."""
    if project.organization_id != scope.organization_id:
        raise ProjectNotFound(project=project.slug)
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


def _published(tx: Tx, project_id: str, deployment_id: str) -> dict[str, WorkflowManifest]:
    if deployment_id not in _read:
        text = tx.value(_MANIFEST, {"id": deployment_id, "project_id": project_id})
        if len(_read) >= _MOST_READ:
            _read.clear()
        _read[deployment_id] = workflows_from_json(json.loads(text))
    return _read[deployment_id]
