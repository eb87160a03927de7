"""The options of `@workflow`, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from keystroke.authoring.definition import QUEUE, SLUG, Checks
from keystroke.domain.durations import Duration, parse_duration
from keystroke.domain.limits import Concurrency, RateLimit
from keystroke.domain.retry import Backoff
from keystroke.domain.usage import exact

_MOST_ATTEMPTS: Final = 1000
_PRIORITIES: Final = (-10, 10)
_DURABILITIES: Final = ("strict", "relaxed")


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
    timeout: timedelta | None
    concurrency: Concurrency | None
    rate_limit: RateLimit | None
    budget: Decimal | None
    on_failure: Any
    durability: str
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
    timeout: Duration | None,
    concurrency: Any,
    rate_limit: Any,
    budget: Any,
    on_failure: Any,
    durability: Any,
    tags: Any,
    tool: Any,
) -> tuple[WorkflowOptions, list[str]]:
    """The options and what is wrong with them; the options are of use only where nothing is."""
    checks = Checks(f"workflow {slug}")
    _check_kinds(checks, name=name, description=description, backoff=backoff, tool=tool)
    _check_limits(checks, concurrency, rate_limit, durability)
    options = WorkflowOptions(
        slug=checks.text("slug", slug, SLUG, "signup-pipeline"), name=name, description=description,
        queue=checks.text("queue", queue, QUEUE, "default"), priority=checks.whole("priority", priority, *_PRIORITIES),
        max_attempts=checks.whole("max_attempts", max_attempts, 1, _MOST_ATTEMPTS), backoff=backoff,
        idempotency_ttl=checks.duration("idempotency_ttl", idempotency_ttl) or timedelta(0),
        retention=checks.duration("retention", retention), timeout=checks.duration("timeout", timeout),
        concurrency=concurrency, rate_limit=rate_limit, budget=_budget(checks, budget), on_failure=on_failure,
        durability=durability, tags=checks.tags(tags), tool=tool,
    )  # fmt: skip
    return options, checks.messages


def _check_kinds(checks: Checks, *, name: Any, description: Any, backoff: Any, tool: Any) -> None:
    for option, text in (("name", name), ("description", description)):
        checks.instance(option, text, str, "'Signup pipeline'")
    if backoff is not None:
        checks.instance("backoff", backoff, Backoff, 'Backoff(first="1s", factor=2, longest="5m")')
    checks.instance("tool", tool, bool, "True")


def _check_limits(checks: Checks, concurrency: Any, rate_limit: Any, durability: Any) -> None:
    if concurrency is not None:
        checks.instance("concurrency", concurrency, Concurrency, 'Concurrency(4, key="{input.customer}")')
    if rate_limit is not None:
        checks.instance("rate_limit", rate_limit, RateLimit, 'RateLimit(10, per="1m")')
    if durability not in _DURABILITIES:
        checks.refuse(f"durability is {durability!r}; it is one of {', '.join(_DURABILITIES)}")


def _budget(checks: Checks, value: Any) -> Decimal | None:
    """An exact amount of money, more than none."""
    if value is None:
        return None
    try:
        amount = exact(value, "budget")
    except ValueError as error:
        checks.refuse(str(error))
        return None
    if not amount:
        checks.refuse(f"budget is {value!r}; it must be more than zero")
    return amount
