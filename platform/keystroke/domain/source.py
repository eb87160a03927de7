"""Sources as data: what decides that something runs, and what is attached to it.

The `options` of a source depend on its kind. Times and durations are seconds, instants RFC 3339 texts.

    webhook   {endpoint, verify: Verifier.as_json(), match: {place: [values]}, dedupe: place, rate_limit: {limit, per},
               respond: {status, body, content_type}, challenge: name}; places are those of `domain.post`
    schedule  {cron, every, timezone, payload, catch_up, catch_up_limit, overlap, jitter, starts_at, ends_at, pause_after,
               max_lateness, expected_within}
    poll      {cron, every, timezone, timeout, queue, group, state_schema, unhealthy_after, filter, dedupe_for}
              (`filter`: whether it has one; `dedupe_for` None: nothing is recognised as seen before)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

SourceKind = Literal["webhook", "schedule", "poll"]
#: What a delivery or a tick came to; None while a poll is under way.
Outcome = Literal[
    "fired", "filtered", "skipped_overlap", "duplicate", "rejected", "unrouted", "error", "missed"
]
OUTCOMES: Final[tuple[Outcome, ...]] = (
    "fired", "filtered", "skipped_overlap", "duplicate", "rejected", "unrouted", "error", "missed",
)  # fmt: skip
#: A pause until then ends when somebody resumes the source.
UNTIL_RESUMED: Final = datetime(9999, 12, 30, tzinfo=UTC)
KIND_LABELS: Final[dict[str, str]] = {"webhook": "Webhook", "schedule": "Schedule", "poll": "Poll"}


@dataclass(frozen=True, slots=True)
class AttachmentManifest:
    """A workflow that a source starts. With `transform` the first attempt makes the input from the payload."""

    workflow: str
    transform: bool = False
    filter: bool = False

    def as_json(self) -> dict[str, Any]:
        """As it is published."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AttachmentManifest:
        """Read what was published; fields that this version does not know are left out."""
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """One source as data; `payload_schema` is the JSON Schema (validation mode) of what it brings, None: anything."""

    slug: str
    kind: SourceKind
    name: str
    description: str = ""
    payload_schema: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    attachments: tuple[AttachmentManifest, ...] = ()
    source: str = ""

    @property
    def label(self) -> str:
        """What a run's trigger says: `Webhook · signup`."""
        return f"{KIND_LABELS[self.kind]} · {self.slug}"

    def as_json(self) -> dict[str, Any]:
        """As it is published and served."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, "attachments": [each.as_json() for each in self.attachments]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SourceManifest:
        """Read what was published; fields that this version does not know are left out."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["attachments"] = tuple(AttachmentManifest.from_json(each) for each in data["attachments"])
        return cls(**known)


def attachment_id(source: str, workflow: str) -> str:
    """`source-slug:workflow-slug`, the raw value of a run's trigger."""
    return f"{source}:{workflow}"
