"""Loads a project: imports its modules, gathers its definitions, and makes the manifest that is published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from keystroke.authoring.action import Action
from keystroke.authoring.code_version import DEFINITION_FOLDERS, code_digest, git_commit
from keystroke.authoring.definition import collecting_problems
from keystroke.authoring.imports import (
    exclusive_imports,
    import_definitions,
    name_clashes,
    project_modules,
)  # fmt: skip
from keystroke.authoring.poll import Poll, group_problems
from keystroke.authoring.project_file import ProjectFile, read_project_file
from keystroke.authoring.source import Source, sources_in
from keystroke.authoring.workflow import Workflow
from keystroke.authoring.workflow_manifest import workflow_manifest
from keystroke.domain.manifest import Manifest
from keystroke.errors import ProjectErrors, ProjectProblem
from keystroke.settings import PROJECT_FILE

AnyWorkflow = Workflow[..., Any]
AnyAction = Action[..., Any]
Definition = AnyWorkflow | AnyAction | Source


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A project whose code is imported in this process.

    `workflows` and `sources` are by slug, `actions` by name, `modules` the names of the project's own modules; `directory`
    is the one with keystroke.toml.
    """

    directory: Path
    organization: str
    project: str
    workflows: dict[str, AnyWorkflow]
    actions: dict[str, AnyAction]
    manifest: Manifest
    modules: frozenset[str]
    sources: dict[str, Source] = field(default_factory=dict)


def load_project(directory: Path) -> LoadedProject:
    """Import the project and gather its definitions; ProjectErrors lists everything that is wrong, and nothing is kept."""
    file = read_project_file(Path(directory))
    with exclusive_imports(file.source), collecting_problems() as problems:
        problems.extend([*_missing_folders(file), *name_clashes(file.source)])
        problems.extend(import_definitions(file.source))
        modules = project_modules(file.source)
        definitions = _gather(modules.values())
        problems.extend([*_definition_problems(definitions), *_duplicates(file, definitions)])
        if problems:
            raise ProjectErrors(str(file.directory), [_shown(file, each) for each in dict.fromkeys(problems)])
        return _loaded(file, definitions, modules)


def _loaded(
    file: ProjectFile, definitions: list[Definition], modules: dict[str, ModuleType]
) -> LoadedProject:
    workflows = {each.slug: each for each in definitions if isinstance(each, Workflow)}
    actions = {each.name: each for each in definitions if isinstance(each, Action)}
    sources = {each.slug: each for each in definitions if isinstance(each, Source)}
    for action in actions.values():
        action.prepare()
    return LoadedProject(
        directory=file.directory,
        organization=file.organization,
        project=file.project,
        workflows=workflows,
        actions=actions,
        manifest=_manifest(file, workflows, sources),
        modules=frozenset(modules),
        sources=sources,
    )


def _manifest(file: ProjectFile, workflows: dict[str, AnyWorkflow], sources: dict[str, Source]) -> Manifest:
    return Manifest(
        organization=file.organization,
        project=file.project,
        digest=code_digest(file.source),
        git_commit=git_commit(file.source),
        workflows={
            slug: workflow_manifest(each, _place(file, each)) for slug, each in sorted(workflows.items())
        },
        sources={slug: each.manifest(_place(file, each)) for slug, each in sorted(sources.items())},
    )


def _gather(modules: Iterable[ModuleType]) -> list[Definition]:
    found: dict[int, Definition] = {
        id(each): each
        for module in modules
        for each in (*vars(module).values(), *sources_in(module))
        if isinstance(each, Workflow | Action | Source)
    }
    return sorted(found.values(), key=lambda each: (each.place[0], each.place[1] or 0))


def _missing_folders(file: ProjectFile) -> list[ProjectProblem]:
    if any((file.source / name).is_dir() for name in DEFINITION_FOLDERS):
        return []
    return [
        ProjectProblem(
            PROJECT_FILE, None, f"there is no folder {' or '.join(DEFINITION_FOLDERS)} in {file.source}"
        )
    ]


def _definition_problems(definitions: list[Definition]) -> Iterator[ProjectProblem]:
    known = {each.slug for each in definitions if isinstance(each, Workflow)}
    for each in definitions:
        for message in each.problems():
            yield ProjectProblem(*each.place, message)
        if isinstance(each, Workflow):
            yield from _handler_problems(each, known)
        if isinstance(each, Source):
            yield from _attachment_problems(each, known)
    for poll, message in group_problems(each for each in definitions if isinstance(each, Poll)):
        yield ProjectProblem(*poll.place, message)


def _handler_problems(workflow: AnyWorkflow, known: set[str]) -> Iterator[ProjectProblem]:
    """A workflow that is not published cannot be started for a failure."""
    handler = workflow.options.on_failure
    if isinstance(handler, Workflow) and handler.slug not in known:
        message = f"on_failure is {handler.slug}, which no module of the project defines by name"
        yield ProjectProblem(*workflow.place, f"workflow {workflow.slug}: {message}")


def _attachment_problems(source: Source, known: set[str]) -> Iterator[ProjectProblem]:
    for each in source.attachments:
        if each.workflow.slug not in known:
            message = f"it starts {each.workflow.slug}, which no module of the project defines by name"
            yield ProjectProblem(*source.place, f"{source.subject}: {message}")


def _duplicates(file: ProjectFile, definitions: list[Definition]) -> Iterator[ProjectProblem]:
    """Sources share one space of slugs, whatever their kind: `triggers list` names all of them."""
    first: dict[tuple[str, str], Definition] = {}
    for each in definitions:
        word, key = _named(each)
        earlier = first.setdefault((word, key), each)
        if earlier is not each:
            yield ProjectProblem(*each.place, f"the {word} {key!r} is taken by {_place(file, earlier)}")


def _named(definition: Definition) -> tuple[str, str]:
    if isinstance(definition, Action):
        return "action name", definition.name
    return ("slug" if isinstance(definition, Workflow) else "trigger slug"), definition.slug


def _place(file: ProjectFile, definition: Definition) -> str:
    path, line = definition.place
    return f"{_relative(file, path)}:{line}"


def _shown(file: ProjectFile, problem: ProjectProblem) -> ProjectProblem:
    return ProjectProblem(_relative(file, problem.path), problem.line, problem.message)


def _relative(file: ProjectFile, path: str) -> str:
    inside = Path(path)
    return inside.relative_to(file.directory).as_posix() if inside.is_relative_to(file.directory) else path
