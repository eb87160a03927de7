"""Which workflows are tools of a caller, and what each of them is called.

A tool's name is the workflow's slug in the caller's default project, and `project__workflow` in others. Slugs hold no
underscores, so neither is ever taken for another, nor for one of the tools for runs, whose names have one. The default
project is the only one that the caller sees, else KEYSTROKE_PROJECT, else the oldest; the longer name works there too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from keystroke.domain.manifest import WorkflowManifest
from keystroke.operations.api_keys import Principal
from keystroke.store import access, deployments
from keystroke.store.access import Project
from keystroke_api.mcp.shapes import Shape, shape_of
from keystroke_api.services import services

#: Common clients pass names on to models that take no longer ones.
LONGEST_NAME: Final = 64
_DIGEST: Final = 8


@dataclass(frozen=True, slots=True)
class WorkflowTool:
    """A workflow as a tool."""

    name: str
    project: Project
    workflow: WorkflowManifest

    @property
    def shape(self) -> Shape:
        """What it takes and gives."""
        return shape_of(self.project.current_deployment_id or "", self.workflow)

    @property
    def qualified_name(self) -> str:
        """The name with the project's."""
        return _fitting(f"{self.project.slug}__{self.workflow.slug}")


def list_workflow_tools(caller: Principal) -> list[WorkflowTool]:
    """The caller's workflow tools: by project, oldest first, and slug."""
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
        published = [(each, deployments.get_workflows(caller.scope, tx, each)) for each in projects]
    default = _default(projects)
    return [
        WorkflowTool(_name(project, workflow, project is default), project, workflow)
        for project, workflows in published
        for _, workflow in sorted(workflows.items())
        if workflow.tool
    ]


def find_workflow_tool(caller: Principal, name: str) -> WorkflowTool | None:
    """The caller's workflow tool of this name."""
    return next((tool for known, tool in _names(list_workflow_tools(caller)) if known == name), None)


def _names(tools: list[WorkflowTool]) -> Iterator[tuple[str, WorkflowTool]]:
    for tool in tools:
        yield tool.name, tool
        yield tool.qualified_name, tool


def _default(projects: list[Project]) -> Project | None:
    wanted = services().settings.project
    if len(projects) > 1 and wanted:
        return next((each for each in projects if each.slug == wanted), None)
    return projects[0] if projects else None


def _name(project: Project, workflow: WorkflowManifest, is_default: bool) -> str:
    return _fitting(workflow.slug if is_default else f"{project.slug}__{workflow.slug}")


def _fitting(name: str) -> str:
    """A name that is too long ends in a digest of all of it, so that it stays one of its own."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}_{digest}"
