"""Which workflows and actions a run may come to: those that its workflow's code can name, gathered into a project."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from keystroke.authoring.action import Action
from keystroke.authoring.poll import Poll
from keystroke.authoring.project import LoadedProject
from keystroke.authoring.source import AttachedWorkflow, Source
from keystroke.authoring.workflow import Workflow
from keystroke.authoring.workflow_manifest import workflow_manifest
from keystroke.domain.manifest import Manifest
from keystroke.errors import DefinitionError, ProjectProblem
from keystroke.settings import PROJECT_FILE
from keystroke.testing.problems import KitProblem

ORGANIZATION: Final = "default"
PROJECT: Final = "test"
#: Files that lie in the directory that is a project's.
_ROOTS: Final = (PROJECT_FILE, "pyproject.toml", "setup.py", ".git")

Definition = Workflow[..., Any] | Action[..., Any]
_KINDS: Final = (Workflow, Action)
#: What is known of a source: what it had attached when it was deployed.
_Deployed = tuple[Source, tuple[AttachedWorkflow, ...]]


@dataclass
class Definitions:
    """What a kit knows, by slug and by name. What comes later replaces what was there: new code, deployed."""

    workflows: dict[str, Workflow[..., Any]] = field(default_factory=dict)
    actions: dict[str, Action[..., Any]] = field(default_factory=dict)
    sources: dict[str, _Deployed] = field(default_factory=dict)
    directory: Path = field(default_factory=Path.cwd)
    #: Counts the deployments.
    version: int = 0

    def add(self, workflow: Workflow[..., Any]) -> bool:
        """Take in a workflow and all that its code can name; whether any of it is new."""
        return self._add([workflow], project_directory(workflow))

    def add_source(self, source: Source) -> bool:
        """Take in a source, what is attached to it, and all that its code can name; whether any of it is new."""
        if problems := source.problems():
            raise DefinitionError([ProjectProblem(*source.place, message) for message in problems])
        functions = [
            each for attached in source.attachments for each in (attached.transform, attached.filter)
        ]
        roots = [each.workflow for each in source.attachments]
        found = [*roots, *functions, source.function if isinstance(source, Poll) else None]
        deployed = source, tuple(source.attachments)
        news = self.sources.get(source.slug) != deployed
        self.sources[source.slug] = deployed
        more = self._add([each for each in found if each is not None], project_directory(source))
        self.version += news and not more
        return news or more

    def _add(self, roots: list[Any], directory: Path) -> bool:
        found = list(_reachable(roots, directory))
        _refuse_faulty(found)
        workflows = _by_name(each for each in found if isinstance(each, Workflow))
        actions = _by_name(each for each in found if isinstance(each, Action))
        news = any(self.workflows.get(slug) is not each for slug, each in workflows.items())
        self.workflows.update(workflows)
        self.actions.update(actions)
        if news:
            self.directory = directory
            self.version += 1
        return news

    def project(self) -> LoadedProject:
        """All of it as a loaded project."""
        manifests = {slug: workflow_manifest(each) for slug, each in sorted(self.workflows.items())}
        sources = {slug: source for slug, (source, _) in sorted(self.sources.items())}
        manifest = Manifest(
            ORGANIZATION, PROJECT, f"version {self.version}", None, manifests,
            {slug: each.manifest() for slug, each in sources.items()},
        )  # fmt: skip
        return LoadedProject(
            self.directory, ORGANIZATION, PROJECT, dict(self.workflows), dict(self.actions), manifest,
            modules_in(self.directory), sources,
        )  # fmt: skip


def modules_in(directory: Path) -> frozenset[str]:
    """The names of imported modules whose files lie in the directory: the author's own."""
    root = f"{directory}{os.sep}"
    return frozenset(
        name
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None))
        and file.startswith(root)
        and "site-packages" not in file
    )


def _is_own(name: str, file: str) -> bool:
    # In a checkout of the platform the platform's own modules lie in the project's directory.
    return "site-packages" not in file and name.partition(".")[0] != "keystroke"


def project_directory(definition: Workflow[..., Any] | Source) -> Path:
    """The directory of the project that the definition's file lies in; where there is no sign of one, the file's own."""
    here = Path(definition.place[0]).resolve().parent
    return next(
        (each for each in (here, *here.parents) if any((each / name).exists() for name in _ROOTS)), here
    )


def _reachable(roots: list[Any], directory: Path) -> Iterator[Definition]:
    """The roots that are definitions, and whatever their functions' names mean, and theirs; each once.

    Names are followed into every module of the author's that they come from: an action may be called by a plain function that
    another module defines.
    """
    own = modules_in(directory)
    pending = list(roots)
    seen: set[int] = set()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if issubclass(type(each), _KINDS):
            yield each
        pending += [near for near in _near(each, own) if id(near) not in seen]


def _near(thing: Any, own: frozenset[str]) -> Iterator[Any]:
    """What the names mean that a module, or a function, its options and its closure hold."""
    kind = type(thing)  # never isinstance: a proxy that lies in a module may refuse to say what it stands for
    if issubclass(kind, ModuleType):
        yield from list(vars(thing).values()) if thing.__name__ in own else ()
        return
    if issubclass(kind, Workflow) and thing.options.on_failure is not None:
        yield thing.options.on_failure
    if issubclass(kind, _KINDS):
        yield from thing.function.__globals__.values()
        yield from _closure(thing.function)
    elif issubclass(kind, FunctionType | type) and thing.__module__ in own:
        yield sys.modules[thing.__module__]


def _closure(function: Any) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue


def _by_name(found: Iterable[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for each in found:
        name = each.slug if isinstance(each, Workflow) else each.name
        other = named.setdefault(name, each)
        if other is not each:
            places = " and ".join(f"{path}:{line}" for path, line in (other.place, each.place))
            raise KitProblem(what=f"{name} is defined twice, at {places}: the run could mean either")
    return named


def _refuse_faulty(found: Iterable[Definition]) -> None:
    problems = [ProjectProblem(*each.place, message) for each in found for message in each.problems()]
    if problems:
        raise DefinitionError(problems)
