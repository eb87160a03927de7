"""`/workflows`: everything that can be started, and how it has been doing."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response

from keystroke.clock import rfc3339
from keystroke.domain.manifest import WorkflowManifest
from keystroke.operations.api_keys import Principal
from keystroke.store import access, deployments, history
from keystroke.store.access import Project
from keystroke.store.history import WorkflowStats
from keystroke_api.services import services
from keystroke_api.ui.contexts import Empty, WorkflowRow, WorkflowsPage
from keystroke_api.ui.showing import show

_EMPTY = Empty(
    "There is no workflow yet.",
    "Write one, or begin with the quickstart; a worker publishes what it finds in the project.",
    None,
    "keystroke init my-project && cd my-project && keystroke dev",
)


def workflows_page(caller: Principal) -> Response:
    """The workflows of all projects."""
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
        rows = []
        for project in projects:
            stats = history.list_workflow_stats(caller.scope, tx, project)
            published = deployments.get_workflows(caller.scope, tx, project)
            rows += [workflow_row(project, published[slug], stats.get(slug)) for slug in sorted(published)]
    page = WorkflowsPage(rows, len(projects) > 1, None if rows else _EMPTY)
    return show("workflows.html", page, title="Workflows", section="workflows")


def workflow_row(project: Project, workflow: WorkflowManifest, stats: WorkflowStats | None) -> WorkflowRow:
    """A workflow with how its newest runs went."""
    last = None
    if stats:
        last = {"id": stats.last_run_id, "status": stats.last_status, "at": rfc3339(stats.last_at)}
    return WorkflowRow(
        definition=workflow.as_json(), project=project.slug,
        url=f"/workflows/{quote(workflow.slug)}?project={quote(project.slug)}", last=last,
        finished=stats.finished if stats else 0, succeeded=stats.succeeded if stats else 0,
    )  # fmt: skip
