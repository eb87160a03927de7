"""The query of `GET /runs`: every filter, validated, as the store's RunFilter and Page."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from keystroke.domain.actor import TriggerType
from keystroke.domain.durations import parse_duration
from keystroke.domain.filters import Page, RunFilter
from keystroke.domain.states import Status
from keystroke.domain.usage import exact
from keystroke_api.answers import from_cursor
from keystroke_api.rest.texts import Text, Time

_MOST_VALUES: Final = 100
_TRIGGER_TYPES: Final = get_args(TriggerType)
_NO_DURATION: Final = "is neither a number of milliseconds nor a duration such as 90s or 1h30m"
_DURATION: Final = r"^([0-9]{1,15}|([0-9]{1,4}(\.[0-9]{1,3})?(ms|[dhms])){1,3})$"
#: The database counts milliseconds and steps in 64 bits; nobody's run needs more than this.
_LARGEST: Final = 10**15


def _trigger(value: str) -> str:
    if ":" not in value and value not in _TRIGGER_TYPES:
        raise ValueError(
            f"is neither a type ({', '.join(_TRIGGER_TYPES)}) nor an attachment id such as signup:welcome"
        )
    return value


def _tag(value: str) -> str:
    key, separator, _ = value.partition("=")
    if not key or not separator:
        raise ValueError("is not of the form key=value")
    return value


def _milliseconds(value: Any) -> int:
    """A bare number is milliseconds, as in `duration_ms`; with units it is a duration such as 90s or 1h30m."""
    text = str(value)
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    if not text[-1:].isalpha():
        raise ValueError(_NO_DURATION)
    try:
        return round(parse_duration(text).total_seconds() * 1000)
    except ValueError as error:
        raise ValueError(_NO_DURATION) from error


def _cost(value: Any) -> Decimal:
    text = str(value)
    if not text.isascii() or len(text) > 40:
        raise ValueError("is not a decimal number")
    return exact(text, "the cost")


def _shown_as(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 300, "pattern": pattern})


Trigger = Annotated[
    Text, AfterValidator(_trigger), _shown_as(rf"^({'|'.join(_TRIGGER_TYPES)})$|^[^\x00]*:[^\x00]*$")
]
Tag = Annotated[Text, AfterValidator(_tag), _shown_as(r"^[^=\x00]+=[^\x00]*$")]
RunId = Annotated[str, StringConstraints(pattern=r"^run_[0-9a-hjkmnp-tv-z]{26}$")]
#: The last run that was seen, without what all ids begin with; the number of the last line.
RunCursor = Annotated[str, StringConstraints(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]
LineCursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Duration = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["1500", "90s", "1h30m"]}),
]
Cost = Annotated[
    Decimal,
    BeforeValidator(_cost),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$"}),
]
Steps = Annotated[int, Field(ge=0, le=_LARGEST)]


def _several(description: str) -> Any:
    return Field(
        default=(), max_length=_MOST_VALUES, description=f"{description} May be repeated: any of the values."
    )


class RunsQuery(BaseModel):
    """Filters combine with AND, values of one filter with OR."""

    model_config = ConfigDict(extra="forbid")

    status: tuple[Status, ...] = _several("Where the run is in its life.")
    kind: tuple[Literal["workflow"], ...] = _several("What was run.")
    project: tuple[Text, ...] = _several("Slug of the project.")
    workflow: tuple[Text, ...] = _several("Slug of the workflow.")
    trigger: tuple[Trigger, ...] = _several("Type of the trigger, or an attachment id.")
    actor: tuple[Text, ...] = _several("Id of whoever started it.")
    model: tuple[Text, ...] = _several("A model that it used.")
    service: tuple[Text, ...] = _several("A service that it used.")
    tag: tuple[Tag, ...] = _several("A tag, as key=value.")
    deployment: tuple[Text, ...] = _several("Id of the version of the code.")
    error: tuple[Fingerprint, ...] = _several("Fingerprint of its error.")
    parent: tuple[RunId, ...] = _several("Id of its parent run.")
    min_cost: Cost | None = Field(default=None, description="Total cost, at least.")
    max_cost: Cost | None = Field(default=None, description="Total cost, at most.")
    min_duration: Duration | None = Field(
        default=None, description="Milliseconds, or a duration such as 90s; at least."
    )
    max_duration: Duration | None = Field(
        default=None, description="Milliseconds, or a duration such as 90s; at most."
    )
    min_steps: Steps | None = Field(default=None, description="Number of steps, at least.")
    max_steps: Steps | None = Field(default=None, description="Number of steps, at most.")
    since: Time | None = Field(default=None, description="Created at this time or later.")
    until: Time | None = Field(default=None, description="Created at this time or earlier.")
    q: Text | None = Field(
        default=None,
        description="A run id or its beginning; else words of workflow, trigger, tags and error message, "
        "of the last 30 days unless `since` says more.",
    )
    limit: int = Field(default=50, ge=1, le=200, description="Runs in one answer.")
    cursor: RunCursor | None = Field(default=None, description="`next_cursor` of the answer before; opaque.")

    @property
    def filter(self) -> RunFilter:
        """What the store filters by."""
        values = self.model_dump(exclude={"limit", "cursor", "tag", "status"})
        tags = tuple((key, value) for key, _, value in (tag.partition("=") for tag in self.tag))
        return RunFilter(**values, tag=tags, status=tuple(status.value for status in self.status))

    @property
    def page(self) -> Page:
        """Which part of the list."""
        return Page(limit=self.limit, before=None if self.cursor is None else from_cursor(self.cursor))


class LinesQuery(BaseModel):
    """Which part of a run's logs or spans."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=200, ge=1, le=1_000, description="Lines in one answer.")
    cursor: LineCursor | None = Field(default=None, description="`next_cursor` of the answer before; opaque.")

    @property
    def after(self) -> int:
        """The number of the last line that was seen."""
        return int(self.cursor or 0)


Part = Literal["trigger", "steps", "trace", "attempts", "timeline"]
_PARTS: Final = get_args(Part)


class RunQuery(BaseModel):
    """What else of a run is wanted."""

    model_config = ConfigDict(extra="forbid")

    include: str | None = Field(
        default=None,
        pattern=rf"^({'|'.join(_PARTS)})(,({'|'.join(_PARTS)}))*$",
        description=f"Comma separated: {', '.join(_PARTS)}.",
    )

    @property
    def parts(self) -> frozenset[str]:
        """The parts that are wanted."""
        return frozenset(self.include.split(",")) if self.include else frozenset()
