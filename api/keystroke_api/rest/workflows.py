"""`/projects` and their workflows: what can be started, and how it has been doing."""

from __future__ import annotations

from typing import Any

from flask import Response

from keystroke.clock import rfc3339
from keystroke.domain.manifest import WorkflowManifest
from keystroke.errors import ProjectNotFound
from keystroke.operations.api_keys import Principal
from keystroke.store import access, deployments, history, sources
from keystroke.store.access import Project
from keystroke.store.history import WorkflowStats
from keystroke.store.sources import Source
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import ProjectList, WorkflowDocument, WorkflowList
from keystroke_api.rest.texts import API
from keystroke_api.services import services
from keystroke_api.trigger_json import workflow_triggers


@operation("GET", f"{API}/projects", role=Role.VIEWER, answers={200: Answer("The projects.", ProjectList)})
def list_projects(caller: Principal) -> Response:
    """The projects that the caller may see, oldest first."""
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
    return json_answer({"data": [_project_json(project) for project in projects]})


@operation(
    "GET", f"{API}/projects/<project>/workflows", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The workflows.", WorkflowList)},
)  # fmt: skip
def list_workflows(caller: Principal, project: str) -> Response:
    """The workflows of the project's current deployment, with their schemas and how their runs ended."""
    with services().database.read() as tx:
        found = access.get_project(caller.scope, tx, project)
        workflows = deployments.get_workflows(caller.scope, tx, found)
        stats = history.list_workflow_stats(caller.scope, tx, found)
        triggers = sources.of_project(tx, found.id)
    return json_answer(
        {
            "data": [
                _workflow_json(each, stats.get(slug), triggers) for slug, each in sorted(workflows.items())
            ]
        }
    )


@operation(
    "GET", f"{API}/projects/<project>/workflows/<slug>", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The workflow.", WorkflowDocument)},
)  # fmt: skip
def get_workflow(caller: Principal, project: str, slug: str) -> Response:
    """One workflow; an unknown one is a 404 that names the nearest."""
    with services().database.read() as tx:
        found = access.get_project(caller.scope, tx, project)
        workflow = deployments.get_workflow(caller.scope, tx, found, slug)
        stats = history.list_workflow_stats(caller.scope, tx, found)
        triggers = sources.of_project(tx, found.id)
    return json_answer(_workflow_json(workflow, stats.get(slug), triggers))


def find_project(caller: Principal, slug: str) -> Project:
    """The project of that slug, as far as the caller may see it."""
    with services().database.read() as tx:
        return access.get_project(caller.scope, tx, slug)


def find_default_project(caller: Principal) -> Project:
    """The configured project, else the oldest that the caller may see."""
    slug = services().settings.project
    if slug:
        return find_project(caller, slug)
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
    if not projects:
        raise ProjectNotFound(project="yet: publish one with `keystroke deploy` or start a worker")
    return projects[0]


def _project_json(project: Project) -> dict[str, Any]:
    return {
        "id": project.id, "slug": project.slug, "name": project.name, "organization": project.organization,
        "deployment": project.current_deployment_id,
    }  # fmt: skip


def _workflow_json(
    workflow: WorkflowManifest, stats: WorkflowStats | None, triggers: list[Source]
) -> dict[str, Any]:
    """The definition; `success_rate` is of finished runs, null before the first."""
    finished = stats.finished if stats else 0
    last = None
    if stats and stats.last_run_id:
        last = {"id": stats.last_run_id, "status": stats.last_status, "at": rfc3339(stats.last_at)}
    return {
        **workflow.as_json(),
        "triggers": workflow_triggers(triggers, workflow.slug),
        "last_run": last,
        "finished_runs": finished,
        "success_rate": stats.succeeded / finished if stats and finished else None,
    }
