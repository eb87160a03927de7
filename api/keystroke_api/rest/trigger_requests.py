"""What callers send about triggers: the models that validate it and describe it in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keystroke.domain.source import Outcome, SourceKind
from keystroke_api.rest.requests import seconds_to_wait
from keystroke_api.rest.texts import Text, Time

#: A place in the list of events: the last event's id without its mark.
EventCursor = Annotated[str, StringConstraints(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]
ProjectSlug = Annotated[
    Text | None, Field(description="Project of a trigger that is named by its slug; else the default one.")
]
_MOST_OUTCOMES: Final = len(get_args(Outcome))


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TriggerQuery(_Closed):
    """Which project a slug is of."""

    project: ProjectSlug = None


class TriggersQuery(_Closed):
    """Which triggers."""

    project: Text | None = Field(default=None, description="Slug of the project; else of all projects.")
    kind: tuple[SourceKind, ...] = Field(
        default=(), max_length=3, description="May be repeated: any of them."
    )
    workflow: Text | None = Field(default=None, description="Those that start this workflow.")
    retired: bool = Field(default=False, description="Also those that the code has no longer.")


class EventsQuery(TriggerQuery):
    """Which part of a trigger's events."""

    outcome: tuple[Outcome, ...] = Field(
        default=(), max_length=_MOST_OUTCOMES, description="May be repeated: any of them."
    )
    limit: int = Field(default=50, ge=1, le=200, description="Events in one answer.")
    cursor: EventCursor | None = Field(
        default=None, description="`next_cursor` of the answer before; opaque."
    )


class PreviewQuery(TriggerQuery):
    """How many times to foretell."""

    count: int = Field(default=10, ge=1, le=100)


class AttachmentChange(_Closed):
    """What is set on one attachment."""

    disabled: bool = Field(strict=True)


class TriggerPatch(_Closed):
    """What is set on a trigger; what is not named stays as it is."""

    disabled: bool | None = Field(
        default=None,
        strict=True,
        description="Disabled, it starts nothing; enabled, it starts anew from now on.",
    )
    paused_until: Time | None = Field(
        default=None, description="It rests until then, in the future; null ends a pause."
    )
    attachments: Annotated[dict[Text, AttachmentChange], Field(max_length=1_000)] = Field(
        default_factory=dict, description="By the slug of the workflow."
    )


class FireHeaders(BaseModel):
    """Headers of a firing by hand."""

    prefer: str | None = Field(
        default=None,
        alias="Prefer",
        description="`wait=N`: of a poll, answer when its tick has ended, after N (up to 60) seconds at the latest.",
    )

    @property
    def wait(self) -> int:
        """Seconds to wait for the end of a tick."""
        return seconds_to_wait(self.prefer)


class FireBody(_Closed):
    """What to fire by hand; an empty object or no body at all: with the payload that the trigger has itself."""

    payload: Any = Field(
        default=None,
        description="Of a webhook, checked by its schema; of a schedule in place of its own. A poll finds its payloads.",
    )
    workflow: Text | None = Field(
        default=None, description="Start this one alone of what is attached, also where it is disabled."
    )

    @property
    def gives_payload(self) -> bool:
        """Whether there is one: `null` is one."""
        return "payload" in self.model_fields_set


class BackfillBody(_Closed):
    """Which times to fire for."""

    from_: Time = Field(alias="from", description="From this time on.")
    to: Time = Field(description="And before this one, which has passed.")
    dry_run: bool = Field(default=False, strict=True, description="Only say what would be fired for.")
    reprocess: bool = Field(
        default=False, strict=True, description="Fire also for those times that were fired for already."
    )


class BackfillsQuery(TriggerQuery):
    """Which part of a trigger's backfills."""

    limit: int = Field(default=50, ge=1, le=200, description="Backfills in one answer.")
    cursor: EventCursor | None = Field(
        default=None, description="`next_cursor` of the answer before; opaque."
    )


class StateHeaders(BaseModel):
    """Headers of an edit of a state."""

    if_match: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None,
        alias="If-Match",
        description="The `ETag` of the state that was read: another one that is there by now is a 412.",
    )

    @property
    def version(self) -> str | None:
        """The version that is named; `*` and nothing at all name none."""
        return None if self.if_match in (None, "*") else str(self.if_match).strip().strip('"')


class StateBody(_Closed):
    """A state in place of the one there is."""

    state: Any = Field(
        description="By the published schema; null: none, so that the poll begins anew. `[redacted]`, left where it stands in "
        "the shown state, keeps the recorded value."
    )
    version: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="The version that was read, as in `If-Match`: another one that is there by now is a 412.",
    )
