"""Publish a project's definitions."""

from __future__ import annotations

from dataclasses import dataclass

from keystroke.domain.actor import Actor
from keystroke.domain.manifest import Manifest
from keystroke.domain.scope import Scope
from keystroke.errors import ForeignOrganization
from keystroke.operations.publish_sources import activate
from keystroke.store import Database, Tx, access, deployments
from keystroke.store.access import Project
from keystroke.store.deployments import Deployment


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
            activate(tx, project, deployment_id)
            project = access.ensure_project(tx, manifest.organization, manifest.project)
    return Published(project, deployment_id, project.current_deployment_id == deployment_id)


def publish_for(
    database: Database, scope: Scope, actor: Actor, manifest: Manifest
) -> tuple[Deployment, bool]:
    """Publish in the name of a caller, with a line in the audit log where the version is new; and whether it is.

    The manifest's organization has to be the caller's: ForeignOrganization. Raises ProjectNotFound where the caller may not
    make the project.
    """
    with database.transaction() as tx:
        project = _project_of(tx, scope, manifest)
        deployment_id, new = deployments.insert_deployment(tx, project, manifest)
        if new:
            activate(tx, project, deployment_id)
            access.audit(
                tx, project.organization_id, actor, "deployment.publish", deployment_id, manifest.digest
            )
        own = Scope(project.organization_id)
        return deployments.get_deployment(own, tx, project, deployment_id), new


def activate_deployment(
    database: Database, scope: Scope, actor: Actor, project: str, deployment_id: str
) -> Deployment:
    """Make a published code version current, an older one too. Raises ProjectNotFound, DeploymentNotFound."""
    with database.transaction() as tx:
        found = access.get_project(scope, tx, project)
        if not deployments.get_deployment(scope, tx, found, deployment_id).current:
            activate(tx, found, deployment_id)
            access.audit(tx, found.organization_id, actor, "deployment.activate", deployment_id)
        return deployments.get_deployment(scope, tx, found, deployment_id)


def _project_of(tx: Tx, scope: Scope, manifest: Manifest) -> Project:
    # Without any organization yet the caller is the owner of this machine, who makes the first one.
    own = access.organization_slug(tx, scope.organization_id) or manifest.organization
    if own != manifest.organization:
        raise ForeignOrganization(named=manifest.organization, own=own)
    if scope.project_ids is not None:
        return access.get_project(scope, tx, manifest.project)
    return access.ensure_project(tx, own, manifest.project)
