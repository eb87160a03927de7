"""Publish a project's definitions."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.domain.manifest import Manifest
from keystroke.store import Database, access, deployments
from keystroke.store.access import Project


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: the project as it is now, the deployment's id, whether it is the current one."""

    project: Project
    deployment_id: str
    current: bool


def publish_deployment(database: Database, manifest: Manifest, make_current: bool = False) -> Published:
    """Publish a code version, idempotent by its digest.

    It becomes current when its digest is new or `make_current` is set: a worker that restarts with older code changes
    nothing. Organization and project are made where they do not exist yet.
    """
    with database.transaction() as tx:
        project = access.ensure_project(tx, manifest.organization, manifest.project)
        deployment_id, new = deployments.insert_deployment(tx, project, manifest)
        if new or make_current:
            deployments.activate(tx, project, deployment_id)
            project = access.ensure_project(tx, manifest.organization, manifest.project)
    return Published(project, deployment_id, project.current_deployment_id == deployment_id)
