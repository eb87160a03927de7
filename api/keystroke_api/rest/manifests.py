"""What `keystroke deploy` sends: a project's definitions as data, checked as the authoring side checks them."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from keystroke.domain.limits import POLICIES, Policy
from keystroke.domain.manifest import Manifest, WorkflowManifest
from keystroke_api.rest.manifest_values import (
    A_CENTURY,
    JsonSchema,
    Limit,
    Money,
    Number,
    Queue,
    Seconds,
    Slug,
    Template,
    Words,
    number,
)
from keystroke_api.rest.source_manifests import SourceBody
from keystroke_api.rest.texts import TagKey, TagValue

_MOST_WORKFLOWS: Final = 2_000
_MOST_SOURCES: Final = 2_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConcurrencyBody(_Part):
    """At most so many runs with the same key at once."""

    limit: Limit
    key: Template | None = None
    policy: Policy = POLICIES[0]


class RateLimitBody(_Part):
    """At most so many runs with the same key begin in any `per` seconds."""

    limit: Limit
    per: Seconds
    key: Template | None = None


class RetryBody(_Part):
    """The pauses between attempts: seconds, and by how much each is longer than the one before."""

    first: Annotated[Number, Field(ge=0, le=A_CENTURY)]
    factor: Annotated[Number, Field(ge=1, le=1_000)]
    longest: Annotated[Number, Field(ge=0, le=A_CENTURY)]


class WorkflowBody(_Part):
    """One workflow; times are seconds, money is text."""

    slug: Slug
    name: Words
    description: Words
    input_schema: JsonSchema
    output_schema: JsonSchema
    queue: Queue = "default"
    priority: Annotated[int, BeforeValidator(number), Field(ge=-10, le=10)] = 0
    timeout: Seconds | None = None
    max_attempts: Annotated[int, BeforeValidator(number), Field(ge=1, le=1_000)] = 1
    retry: RetryBody | None = None
    idempotency_ttl: Annotated[Number, Field(ge=0, le=A_CENTURY)] = 86_400.0
    retention: Seconds | None = None
    budget: Money | None = None
    concurrency: ConcurrencyBody | None = None
    rate_limit: RateLimitBody | None = None
    on_failure: Slug | None = None
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=50)] = Field(default_factory=dict)
    tool: Annotated[bool, Field(strict=True)] = False
    durability: Literal["strict", "relaxed"] = "strict"
    source: Words = ""

    def manifest(self) -> WorkflowManifest:
        """The workflow as it is kept."""
        data = self.model_dump()
        return WorkflowManifest(**{each.name: data[each.name] for each in fields(WorkflowManifest)})


class DeploymentBody(_Part):
    """A code version: the digest of its code, its git commit where there is one, its workflows and triggers by slug.

    `organization` is whose project it is, by its file; it has to be the caller's.
    """

    organization: Slug
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    git_commit: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._+-]{1,100}$")] | None = None
    workflows: Annotated[dict[Slug, WorkflowBody], Field(max_length=_MOST_WORKFLOWS)]
    sources: Annotated[dict[Slug, SourceBody], Field(max_length=_MOST_SOURCES)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> DeploymentBody:
        for slug, each in self.workflows.items():
            if each.slug != slug:
                raise ValueError(f"workflows.{slug} has the slug {each.slug}")
            if each.on_failure is not None and each.on_failure not in self.workflows:
                raise ValueError(
                    f"workflows.{slug}.on_failure is {each.on_failure}, which is no workflow of this version"
                )
        for slug, source in self.sources.items():
            self._check_source(slug, source)
        return self

    def _check_source(self, slug: str, source: SourceBody) -> None:
        if source.slug != slug:
            raise ValueError(f"sources.{slug} has the slug {source.slug}")
        for each in source.attachments:
            if each.workflow not in self.workflows:
                raise ValueError(
                    f"sources.{slug} starts {each.workflow}, which is no workflow of this version"
                )

    def manifest(self, project: str) -> Manifest:
        """The definitions of that project."""
        workflows = {slug: each.manifest() for slug, each in self.workflows.items()}
        sources = {slug: each.manifest() for slug, each in self.sources.items()}
        return Manifest(self.organization, project, self.digest, self.git_commit, workflows, sources)
