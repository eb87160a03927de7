"""What a project publishes: its definitions as data. API and beat know these, never the functions themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keystroke.domain.source import SourceManifest


@dataclass(frozen=True, slots=True)
class WorkflowManifest:
    """One workflow as data; schemas are JSON Schema (validation mode for the input, serialization for the output).

    Times are seconds, money is text. `concurrency` is `{limit, key, policy}`, `rate_limit` is `{limit, per, key}`, `on_failure`
    the slug of the workflow that is started when a run has failed for good.
    """

    slug: str
    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    queue: str = "default"
    priority: int = 0
    timeout: float | None = None
    max_attempts: int = 1
    retry: dict[str, Any] | None = None
    idempotency_ttl: float = 86_400.0
    retention: float | None = None
    budget: str | None = None
    concurrency: dict[str, Any] | None = None
    rate_limit: dict[str, Any] | None = None
    on_failure: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    tool: bool = False
    durability: str = "strict"
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        """The manifest as it is published and served."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> WorkflowManifest:
        """Read a published manifest; fields that this version does not know are left out."""
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


@dataclass(frozen=True, slots=True)
class Manifest:
    """All definitions of a project at one version of its code. `digest` is the SHA-256 of that code."""

    organization: str
    project: str
    digest: str
    git_commit: str | None
    workflows: dict[str, WorkflowManifest]
    sources: dict[str, SourceManifest] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The body that is kept with the deployment."""
        return {
            "workflows": {slug: workflow.as_json() for slug, workflow in self.workflows.items()},
            "sources": {slug: source.as_json() for slug, source in self.sources.items()},
        }


def workflows_from_json(body: dict[str, Any]) -> dict[str, WorkflowManifest]:
    """The workflows of a published manifest, by slug."""
    return {slug: WorkflowManifest.from_json(data) for slug, data in body.get("workflows", {}).items()}


def sources_from_json(body: dict[str, Any]) -> dict[str, SourceManifest]:
    """The sources of a published manifest, by slug."""
    return {slug: SourceManifest.from_json(data) for slug, data in body.get("sources", {}).items()}
