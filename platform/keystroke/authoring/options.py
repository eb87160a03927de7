"""The options of `@workflow`, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from keystroke.authoring.definition import QUEUE, SLUG, Checks
from keystroke.domain.durations import Duration, parse_duration
from keystroke.domain.retry import Backoff

_MOST_ATTEMPTS: Final = 1000
_PRIORITIES: Final = (-10, 10)
#: Options of the language whose behaviour this version does not have, with the value that asks for nothing.
_NOT_YET: Final[Mapping[str, Any]] = {
    "timeout": None, "concurrency": None, "rate_limit": None, "budget": None, "durability": "strict", "on_failure": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkflowOptions:
    """Checked options of a workflow; their meaning is told by `workflow`."""

    slug: str
    name: str
    description: str
    queue: str
    priority: int
    max_attempts: int
    backoff: Backoff | None
    idempotency_ttl: timedelta
    retention: timedelta | None
    tags: dict[str, str]
    tool: bool

    def retry(self) -> dict[str, Any] | None:
        """The backoff as published: seconds and a factor; None for the default one."""
        if self.backoff is None:
            return None
        return {
            "first": parse_duration(self.backoff.first).total_seconds(),
            "factor": self.backoff.factor,
            "longest": parse_duration(self.backoff.longest).total_seconds(),
        }


def check_options(  # noqa: PLR0913 - the options of the language, by name
    *,
    slug: Any,
    name: Any,
    description: Any,
    queue: Any,
    priority: Any,
    max_attempts: Any,
    backoff: Any,
    idempotency_ttl: Duration,
    retention: Duration | None,
    tags: Any,
    tool: Any,
    **not_yet: Any,
) -> tuple[WorkflowOptions, list[str]]:
    """The options and what is wrong with them; the options are of use only where nothing is."""
    checks = Checks(f"workflow {slug}")
    for option, value in not_yet.items():
        if value != _NOT_YET[option]:
            checks.refuse(f"{option} is not supported yet, and would be without effect: leave it out")
    for option, text in (("name", name), ("description", description)):
        checks.instance(option, text, str, "'Signup pipeline'")
    if backoff is not None:
        checks.instance("backoff", backoff, Backoff, 'Backoff(first="1s", factor=2, longest="5m")')
    checks.instance("tool", tool, bool, "True")
    options = WorkflowOptions(
        slug=checks.text("slug", slug, SLUG, "signup-pipeline"),
        name=name,
        description=description,
        queue=checks.text("queue", queue, QUEUE, "default"),
        priority=checks.whole("priority", priority, *_PRIORITIES),
        max_attempts=checks.whole("max_attempts", max_attempts, 1, _MOST_ATTEMPTS),
        backoff=backoff,
        idempotency_ttl=checks.duration("idempotency_ttl", idempotency_ttl) or timedelta(0),
        retention=checks.duration("retention", retention),
        tags=checks.tags(tags),
        tool=tool,
    )
    return options, checks.messages
