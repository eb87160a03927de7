"""Limits on how many runs of a workflow go on at once, and how many begin in a while: what an author writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from string import Formatter
from typing import Any, Final, Literal

from keystroke.domain.durations import Duration, parse_duration

Policy = Literal["queue", "skip", "replace"]
POLICIES: Final = ("queue", "skip", "replace")
_MOST: Final = 100_000
_ROOTS: Final = ("input", "tags")


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs of the workflow with the same key go on at once.

    `key` is a template over the run's input and tags, `"{input.customer}"`; None: all runs of the workflow share one key.
    What happens to a run beyond the limit: it waits (`queue`), is canceled (`skip`), or takes the place of the oldest
    (`replace`).
    """

    limit: int
    key: str | None = None
    policy: Policy = "queue"

    def __post_init__(self) -> None:
        """Refuse what would make no sense, where it is written."""
        _check_limit(self.limit)
        check_template(self.key)
        if self.policy not in POLICIES:
            raise ValueError(f"policy is {self.policy!r}; it is one of {', '.join(POLICIES)}")

    def as_json(self) -> dict[str, Any]:
        """`{limit, key, policy}`, as published."""
        return {"limit": self.limit, "key": self.key, "policy": self.policy}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`limit` runs of the workflow with the same key begin in each `per`; the others wait for their turn.

    After a quiet time as many as `limit` begin at once, then one each `per / limit`.
    """

    limit: int
    per: Duration = "1m"
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would make no sense, where it is written."""
        _check_limit(self.limit)
        check_template(self.key)
        if not parse_duration(self.per) > timedelta(0):
            raise ValueError(f"per is {self.per!r}; it must be longer than zero")

    def as_json(self) -> dict[str, Any]:
        """`{limit, per, key}`, as published; `per` in seconds."""
        return {"limit": self.limit, "per": parse_duration(self.per).total_seconds(), "key": self.key}


def check_template(template: str | None) -> None:
    """ValueError for a key template that names anything but `{input}`, `{input.…}` and `{tags.…}`."""
    if template is None:
        return
    if not template:
        raise ValueError(f'key is {template!r}; write it like "{{input.customer}}"')
    for _, name, form, conversion in Formatter().parse(template):
        if name is None:
            continue
        root = name.partition(".")[0].partition("[")[0]
        if root not in _ROOTS or form or conversion:
            raise ValueError(
                f'key names {{{name}}}; it sees input and tags: "{{input.customer}}", "{{tags.team}}"'
            )


def _check_limit(limit: object) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST:
        raise ValueError(f"limit is {limit!r}; it must be a whole number from 1 to {_MOST}")
