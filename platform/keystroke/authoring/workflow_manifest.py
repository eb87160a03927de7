"""A workflow as data: what is published of it."""

from __future__ import annotations

from typing import Any

from keystroke.authoring.workflow import Workflow
from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.usage import plain


def workflow_manifest(workflow: Workflow[..., Any], source: str = "") -> WorkflowManifest:
    """The manifest; `source` is the file and line of the definition, as people read it."""
    options = workflow.options
    return WorkflowManifest(
        slug=options.slug,
        name=options.name,
        description=options.description,
        input_schema=workflow.input_schema(),
        output_schema=workflow.output_schema(),
        queue=options.queue,
        priority=options.priority,
        max_attempts=options.max_attempts,
        retry=options.retry(),
        idempotency_ttl=options.idempotency_ttl.total_seconds(),
        retention=options.retention.total_seconds() if options.retention else None,
        timeout=options.timeout.total_seconds() if options.timeout else None,
        budget=plain(options.budget) if options.budget else None,
        concurrency=options.concurrency.as_json() if options.concurrency else None,
        rate_limit=options.rate_limit.as_json() if options.rate_limit else None,
        on_failure=options.on_failure.slug if options.on_failure else None,
        durability=options.durability,
        tags=options.tags,
        tool=options.tool,
        source=source,
    )
