"""What `keystroke deploy` sends of a project's triggers: their options by kind, checked as the authoring side checks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    model_validator,
)

from keystroke import verify as words
from keystroke.domain.catch_up import CATCH_UP_LIMIT, MOST_CAUGHT_UP, CatchUp, Overlap
from keystroke.domain.challenge import Challenge
from keystroke.domain.payload import check_depth
from keystroke.domain.post import Place
from keystroke.domain.respond import Respond
from keystroke.domain.schedule import Timing
from keystroke.domain.source import AttachmentManifest, SourceKind, SourceManifest
from keystroke.errors import NotJson
from keystroke.verify import Verifier
from keystroke_api.rest.manifest_values import JsonSchema, Limit, Pause, Queue, Seconds, Slug, Words, number
from keystroke_api.rest.texts import parse_time

_ENDPOINT: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
_MOST_ATTACHED: Final = 200
_MOST_VALUES: Final = 100
_MOST_FAILURES: Final = 1_000
_VERIFIERS: Final[dict[str, Callable[..., Verifier]]] = {
    "standard_webhooks": words.standard_webhooks, "github": words.github, "stripe": words.stripe, "slack": words.slack,
    "hmac": words.hmac_sha256, "token": words.token, "open": words.open_endpoint,
}  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _verifier(spec: dict[str, Any]) -> dict[str, Any]:
    """Made anew by the word that it was made by, which refuses what makes no sense."""
    given = dict(spec)
    word = _VERIFIERS.get(str(given.pop("scheme", None)))
    if word is None:
        raise ValueError(f"scheme is none of {', '.join(_VERIFIERS)}")
    try:
        made = word(**given)
    except TypeError as error:
        raise ValueError("does not have the options of its scheme") from error
    return made.as_json()


def _place(text: str) -> str:
    Place.parse(text)
    return text


def _challenge(text: str) -> str:
    Challenge.parse(text)
    return text


def _payload(value: Any) -> Any:
    try:
        check_depth(value, what="payload")
    except NotJson as error:
        raise ValueError(str(error)) from error
    return value


def _rfc3339(value: str) -> str:
    parse_time(value)
    return value


Instant = Annotated[str, AfterValidator(_rfc3339)]
AtPlace = Annotated[str, StringConstraints(max_length=300), AfterValidator(_place)]
Values = Annotated[
    list[StrictStr | StrictBool | StrictInt | StrictFloat | None],
    Field(min_length=1, max_length=_MOST_VALUES),
]
Failures = Annotated[int, BeforeValidator(number), Field(ge=1, le=_MOST_FAILURES)]


class DeliveryRateBody(_Part):
    """At most so many deliveries in any `per` seconds."""

    limit: Limit
    per: Seconds


class RespondBody(_Part):
    """What is answered in place of the platform's own JSON."""

    status: Annotated[int, Field(strict=True)]
    body: str
    content_type: str

    @model_validator(mode="after")
    def _accepts(self) -> RespondBody:
        Respond(self.status, self.body, self.content_type)
        return self


class WebhookOptions(_Part):
    """Of a webhook."""

    endpoint: Annotated[str, StringConstraints(pattern=_ENDPOINT)]
    verify: Annotated[dict[str, Any], AfterValidator(_verifier)]
    match: Annotated[dict[AtPlace, Values], Field(max_length=_MOST_VALUES)] | None = None
    dedupe: AtPlace | None = None
    rate_limit: DeliveryRateBody | None = None
    respond: RespondBody | None = None
    challenge: Annotated[str, StringConstraints(max_length=300), AfterValidator(_challenge)] | None = None

    @model_validator(mode="after")
    def _is_no_page(self) -> WebhookOptions:
        if self.endpoint.startswith("trg_"):
            raise ValueError("endpoint begins with trg_, as the ids of triggers do")
        return self


class _Timed(_Part):
    cron: Annotated[str, StringConstraints(max_length=300)] | None = None
    every: Seconds | None = None
    timezone: Annotated[str, StringConstraints(max_length=100)] = "UTC"

    @model_validator(mode="after")
    def _fires(self) -> _Timed:
        Timing.from_options(self.model_dump())
        return self


class ScheduleOptions(_Timed):
    """Of a schedule; durations are seconds."""

    payload: Annotated[Any, AfterValidator(_payload)] = None
    catch_up: CatchUp = "last"
    catch_up_limit: Annotated[int, BeforeValidator(number), Field(ge=1, le=MOST_CAUGHT_UP)] = CATCH_UP_LIMIT
    overlap: Overlap = "allow"
    jitter: Pause | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    pause_after: Failures | None = None
    max_lateness: Pause | None = None
    expected_within: Pause | None = None


class PollOptions(_Timed):
    """Of a poll; durations are seconds."""

    timeout: Seconds
    queue: Queue = "default"
    group: Slug | None = None
    state_schema: JsonSchema | None = None
    unhealthy_after: Failures
    filter: Annotated[bool, Field(strict=True)] = False
    dedupe_for: Pause | None = None


_OPTIONS: Final[dict[SourceKind, type[_Part]]] = {
    "webhook": WebhookOptions, "schedule": ScheduleOptions, "poll": PollOptions,
}  # fmt: skip


class AttachmentBody(_Part):
    """A workflow that a trigger starts."""

    workflow: Slug
    transform: Annotated[bool, Field(strict=True)] = False
    filter: Annotated[bool, Field(strict=True)] = False


class SourceBody(_Part):
    """One trigger."""

    slug: Slug
    kind: SourceKind
    name: Words
    description: Words = ""
    payload_schema: JsonSchema | None = None
    options: WebhookOptions | ScheduleOptions | PollOptions
    attachments: Annotated[list[AttachmentBody], Field(min_length=1, max_length=_MOST_ATTACHED)]
    source: Words = ""

    @model_validator(mode="before")
    @classmethod
    def _options_of_its_kind(cls, data: Any) -> Any:
        """Its errors are those of its own kind, not of all three."""
        kind = data.get("kind") if isinstance(data, dict) else None
        if kind in _OPTIONS and isinstance(data.get("options"), dict):
            return {**data, "options": _OPTIONS[kind].model_validate(data["options"])}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> SourceBody:
        if not isinstance(self.options, _OPTIONS[self.kind]):
            raise ValueError(f"the options are not those of a {self.kind}")
        attached = [each.workflow for each in self.attachments]
        if len(set(attached)) < len(attached):
            raise ValueError("a workflow is attached twice")
        return self

    def manifest(self) -> SourceManifest:
        """The trigger as it is kept."""
        attachments = tuple(AttachmentManifest(**each.model_dump()) for each in self.attachments)
        return SourceManifest(
            self.slug, self.kind, self.name, self.description, self.payload_schema, self.options.model_dump(),
            attachments, self.source,
        )  # fmt: skip
