"""Sources: what decides that something runs. A source is given a slug, says what it brings, and has workflows attached."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar, Final, Self

from keystroke.authoring.codec import Codec
from keystroke.authoring.definition import SLUG, Checks, report_at
from keystroke.authoring.workflow import LONGEST_DESCRIPTION, Workflow
from keystroke.domain.source import AttachmentManifest, SourceKind, SourceManifest
from keystroke.errors import UnsupportedType

#: Where a module keeps the sources that it has made, so that one is found that was not given a name.
_MADE: Final = "__keystroke_sources__"


@dataclass(frozen=True, slots=True)
class AttachedWorkflow:
    """A workflow that a source starts; `transform` makes its input from the payload, `filter` says which payloads start it."""

    workflow: Workflow[..., Any]
    transform: Callable[..., Any] | None = None
    filter: Callable[..., Any] | None = None

    @property
    def manifest(self) -> AttachmentManifest:
        """As it is published."""
        return AttachmentManifest(self.workflow.slug, self.transform is not None, self.filter is not None)

    @property
    def takes_event(self) -> bool:
        """Whether the transform has a second parameter: the request of a delivery, or the tick."""
        return self.transform is not None and len(inspect.signature(self.transform).parameters) > 1


class Source:
    """One source. Made by `webhook`, `schedule` and `poll`, which check the options; see `attach`."""

    kind: ClassVar[SourceKind]

    def __init__(
        self,
        slug: str,
        *,
        payload: Any = None,
        name: str | None = None,
        description: str | None = None,
        options: Mapping[str, Any] | None = None,
        place: tuple[str, int | None],
        module: dict[str, Any],
    ) -> None:
        """`options` are as published (`domain.source`); `module` are the globals of the module that makes it."""
        self.slug = slug
        self.name = name or slug
        self.description = description or ""
        self.payload_annotation = payload
        self.options = dict(options or {})
        self.place = place
        self.attachments: list[AttachedWorkflow] = []
        module.setdefault(_MADE, []).append(self)

    def __repr__(self) -> str:
        """`<webhook signup>`."""
        return f"<{self.subject}>"

    @property
    def subject(self) -> str:
        """How errors name it: `webhook signup`."""
        return f"{self.kind} {self.slug}"

    def attach(
        self,
        workflow: Workflow[..., Any],
        *,
        transform: Callable[..., Any] | None = None,
        filter: Callable[..., Any] | None = None,
    ) -> Self:
        """Start this workflow for what the source brings; gives the source, so that more can be attached.

        `transform(payload)` gives the workflow's input; with a second parameter it is also given the request (a webhook's) or
        the tick. Without it the payload is the input. `filter(payload)` (polls only: webhooks have `match`) says which payloads
        start the workflow.
        """
        report_at(self.place, self._attachment_problems(workflow, transform, filter))
        if isinstance(workflow, Workflow):
            self.attachments.append(AttachedWorkflow(workflow, transform, filter))
        return self

    def manifest(self, source: str = "") -> SourceManifest:
        """As it is published; `source` is file and line of the definition, as people read it."""
        return SourceManifest(
            slug=self.slug, kind=self.kind, name=self.name, description=self.description[:LONGEST_DESCRIPTION],
            payload_schema=self.payload_schema(), options=self.options,
            attachments=tuple(each.manifest for each in self.attachments), source=source,
        )  # fmt: skip

    @cached_property
    def payload(self) -> Codec:
        """Reads and records what the source brings."""
        return Codec(Any if self.payload_annotation is None else self.payload_annotation, "input")

    def payload_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of what the source brings; None: anything."""
        return None if self.payload_annotation is None else self.payload.schema("validation")

    def problems(self) -> list[str]:
        """What is wrong with it as a whole, once its module is loaded."""
        try:
            self.payload_schema()
        except UnsupportedType as error:
            return [f"{self.subject}: payload: {error}"]
        return (
            [] if self.attachments else [f"{self.subject}: nothing is attached: {self.slug}.attach(workflow)"]
        )

    def _attachment_problems(self, workflow: Any, transform: Any, filter: Any) -> list[str]:
        checks = Checks(self.subject)
        if not isinstance(workflow, Workflow):
            checks.refuse(f"attach takes a workflow, not {workflow!r}")
        elif any(each.workflow.slug == workflow.slug for each in self.attachments):
            checks.refuse(f"the workflow {workflow.slug} is attached twice")
        if filter is not None and self.kind != "poll":
            checks.refuse(
                "a filter is for polls; webhooks select by `payload` and `match`, schedules not at all"
            )
        for word, function in (("transform", transform), ("filter", filter)):
            checks.messages.extend(f"{self.subject}: {each}" for each in function_problems_of(word, function))
        return checks.messages


def sources_in(module: ModuleType) -> list[Source]:
    """The sources that a module has made, named or not."""
    made: list[Source] = vars(module).get(_MADE, [])
    return made


def caller_place(depth: int = 1) -> tuple[tuple[str, int | None], dict[str, Any]]:
    """File and line from which the caller of this function's caller was called, and the globals of that module."""
    frame = sys._getframe(depth + 1)
    return (frame.f_code.co_filename, frame.f_lineno), frame.f_globals


def slug_problems(subject: str, slug: Any) -> list[str]:
    """What is wrong with a source's slug."""
    checks = Checks(subject)
    checks.text("slug", slug, SLUG, "new-invoices")
    return checks.messages


def function_problems_of(word: str, function: Any) -> list[str]:
    """What is wrong with an option that is a function: `transform`, or one that is given the payload alone."""
    if function is None:
        return []
    if not callable(function):
        return [f"{word} is {function!r}; it must be a function"]
    if inspect.iscoroutinefunction(function):
        return [f"{word} is an async function; it must be a plain one"]
    try:
        taken = len(inspect.signature(function).parameters)
    except ValueError:
        return []  # a function of C whose signature is not known
    most, given = (
        (2, "the payload, and the event if it wants it") if word == "transform" else (1, "the payload")
    )
    return [] if 1 <= taken <= most else [f"{word} takes {taken} arguments; it is given {given}"]
