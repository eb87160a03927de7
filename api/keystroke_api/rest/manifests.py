"""What `keystroke deploy` sends: a project's definitions as data, checked as the authoring side checks them."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from keystroke.domain.limits import POLICIES, Policy, check_template
from keystroke.domain.manifest import Manifest, WorkflowManifest
from keystroke.domain.payload import check_depth
from keystroke.domain.usage import exact
from keystroke.errors import NotJson
from keystroke_api.rest.texts import TagKey, TagValue

_NO_NUL: Final = r"^[^\x00]*$"
_A_CENTURY: Final = 36_525 * 86_400.0
_MOST_WORKFLOWS: Final = 2_000

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=200)]
Queue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Words = Annotated[str, StringConstraints(max_length=4_000, pattern=_NO_NUL)]


def _finite(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    return value


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    try:
        check_depth(value, what="schema")
        Draft202012Validator.check_schema(value)
    except (SchemaError, NotJson, RecursionError) as error:
        raise ValueError(f"is no JSON Schema: {str(error).splitlines()[0]}") from error
    return value


def _money(value: str) -> str:
    if not exact(Decimal(value), "budget"):
        raise ValueError("must be more than zero")
    return value


def _template(value: str | None) -> str | None:
    check_template(value)
    return value


Number = Annotated[float, BeforeValidator(_finite)]
Seconds = Annotated[Number, Field(gt=0, le=_A_CENTURY)]
JsonSchema = Annotated[dict[str, Any], AfterValidator(_schema)]
Money = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$"), AfterValidator(_money)]
Template = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=_NO_NUL), AfterValidator(_template)
]
Limit = Annotated[int, BeforeValidator(_finite), Field(ge=1, le=100_000)]


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

    first: Annotated[Number, Field(ge=0, le=_A_CENTURY)]
    factor: Annotated[Number, Field(ge=1, le=1_000)]
    longest: Annotated[Number, Field(ge=0, le=_A_CENTURY)]


class WorkflowBody(_Part):
    """One workflow; times are seconds, money is text."""

    slug: Slug
    name: Words
    description: Words
    input_schema: JsonSchema
    output_schema: JsonSchema
    queue: Queue = "default"
    priority: Annotated[int, BeforeValidator(_finite), Field(ge=-10, le=10)] = 0
    timeout: Seconds | None = None
    max_attempts: Annotated[int, BeforeValidator(_finite), Field(ge=1, le=1_000)] = 1
    retry: RetryBody | None = None
    idempotency_ttl: Annotated[Number, Field(ge=0, le=_A_CENTURY)] = 86_400.0
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
    """A code version: the digest of its code, its git commit where there is one, its workflows by slug.

    `organization` is whose project it is, by its file; it has to be the caller's.
    """

    organization: Slug
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    git_commit: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._+-]{1,100}$")] | None = None
    workflows: Annotated[dict[Slug, WorkflowBody], Field(max_length=_MOST_WORKFLOWS)]

    @model_validator(mode="after")
    def _fits_together(self) -> DeploymentBody:
        for slug, each in self.workflows.items():
            if each.slug != slug:
                raise ValueError(f"workflows.{slug} has the slug {each.slug}")
            if each.on_failure is not None and each.on_failure not in self.workflows:
                raise ValueError(
                    f"workflows.{slug}.on_failure is {each.on_failure}, which is no workflow of this version"
                )
        return self

    def manifest(self, project: str) -> Manifest:
        """The definitions of that project."""
        workflows = {slug: each.manifest() for slug, each in self.workflows.items()}
        return Manifest(self.organization, project, self.digest, self.git_commit, workflows)
