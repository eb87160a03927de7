"""What the pages of triggers show, as data; see `contexts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from keystroke_api.ui.contexts import Choice, Empty, Field, Link, Record


@dataclass(frozen=True, slots=True)
class EventRow:
    """One delivery, or one tick of a schedule or a poll."""

    event: Annotated[Record, "The event as the API gives it."]
    mark: Annotated[str, "Mark and colour that tell how it went, by the status whose they are."]
    words: Annotated[str, "What it came to, in words."]
    why: Annotated[str, "What more there is to say: an error in a line, missed times, by whose hand."]
    url: Annotated[str, "Its page."]
    runs: Annotated[list[Link], "Runs that it started; they may be deleted by now."]
    runs_left_out: Annotated[int, "How many more it started."]


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """A workflow that a trigger starts."""

    workflow: Annotated[str, "Slug of the workflow."]
    name: Annotated[str, "Its name."]
    url: Annotated[str, "Page of the workflow."]
    runs_url: Annotated[str, "Runs that this attachment has started."]
    enabled: Annotated[bool, "Whether the trigger starts it."]
    facts: Annotated[str, "Whether a transform or a filter stands before it, in words."]


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """A trigger as the list shows it."""

    trigger: Annotated[Record, "The trigger as the API's list gives it."]
    about: Annotated[str, "First line of its description."]
    url: Annotated[str, "Its page."]
    how: Annotated[str, "What makes it fire: the endpoint's path, the expression, the interval."]
    mark: Annotated[str, "Mark and colour of its health, by the status whose they are."]
    health: Annotated[str, "Its health in a word."]
    attachments: Annotated[list[AttachmentRow], "What it starts."]
    last: Annotated[EventRow | None, "Its newest event."]


@dataclass(frozen=True, slots=True)
class TriggerGroup:
    """Triggers of one kind."""

    label: Annotated[str, "The kind, as a heading."]
    rows: Annotated[list[TriggerRow], "The triggers, by project and slug."]


@dataclass(frozen=True, slots=True)
class TriggersPage:
    """`/triggers`: everything that starts runs by itself."""

    groups: Annotated[list[TriggerGroup], "Webhooks, schedules and polls; empty ones are left out."]
    several: Annotated[bool, "Whether there is more than one project."]
    retired: Annotated[Link, "The same with retired ones, or without."]
    empty: Annotated[Empty | None, "What to say where there is none."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class WebhookPart:
    """Of a webhook: where to post, and how to sign."""

    url: Annotated[str, "Where services post to."]
    how: Annotated[str, "How the sender signs, in words."]
    facts: Annotated[list[tuple[str, str]], "Its options in words."]


@dataclass(frozen=True, slots=True)
class ClockPart:
    """Of a schedule or a poll: when it fires."""

    facts: Annotated[list[tuple[str, str]], "Its options in words."]
    next: Annotated[
        list[tuple[str, str]], "The next times: RFC 3339, and as a clock on the wall of its zone shows them."
    ]


@dataclass(frozen=True, slots=True)
class StatePart:
    """Of a poll with a state: what it goes on from."""

    value: Annotated[object, "The state; null before the first tick."]
    version: Annotated[str, "Which one this is: an edit has to name it."]
    updated: Annotated[str, "When and by whom it was written, in words."]
    entered: Annotated[str, "What stands in the form that edits it."]
    errors: Annotated[list[str], "What is wrong with what was entered."]


@dataclass(frozen=True, slots=True)
class BackfillRow:
    """A backfill of a schedule."""

    backfill: Annotated[Record, "The backfill as the API gives it."]
    mark: Annotated[str, "Mark and colour that tell how it is, by the status whose they are."]
    words: Annotated[str, "How far it is, in words."]
    cancel_url: Annotated[str, "Where the form that stops it is sent; empty where it has ended."]


@dataclass(frozen=True, slots=True)
class BackfillPart:
    """Of a schedule: the form for a backfill, and the newest ones."""

    entered: Annotated[dict[str, str], "What stands in the form: `from`, `to`, `reprocess`."]
    said: Annotated[str, "What the backfill would do, after it was asked for as a trial."]
    errors: Annotated[list[str], "What is wrong with what was entered."]
    rows: Annotated[list[BackfillRow], "The newest ones."]


@dataclass(frozen=True, slots=True)
class TriggerPage:
    """`/triggers/{id}`: one trigger, what it did, and everything that can be done with it."""

    row: Annotated[TriggerRow, "The trigger."]
    may_steer: Annotated[bool, "Whether the reader may pause it and change its state."]
    webhook: Annotated[WebhookPart | None, "Of a webhook."]
    clock: Annotated[ClockPart | None, "Of a schedule or a poll."]
    state: Annotated[StatePart | None, "Of a poll with a state."]
    backfills: Annotated[BackfillPart | None, "Of a schedule."]
    schema: Annotated[Record | None, "JSON Schema of what it brings."]
    fields: Annotated[list[Field], "The form that fires it by hand."]
    as_json: Annotated[str | None, "The payload as JSON, where that is how it is entered."]
    workflows: Annotated[list[Choice], "What firing by hand can be narrowed to."]
    command: Annotated[str, "The same on the command line."]
    trial: Annotated[
        Record | None, "What the payload would start, after it was tried: as the API's dry run gives it."
    ]
    errors: Annotated[list[str], "What is wrong with the payload as a whole."]
    outcomes: Annotated[list[Choice], "Outcomes to filter the events by."]
    events: Annotated[list[EventRow], "Its events, newest first."]
    newest_url: Annotated[str | None, "First part of the events, where this is another."]
    older_url: Annotated[str | None, "Next part of the events."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class TickPage:
    """`/triggers/{id}/ticks/{tick}`: one tick, with what it found, said and started."""

    trigger: Annotated[Link, "Its trigger."]
    row: Annotated[EventRow, "The tick."]
    facts: Annotated[list[tuple[str, str]], "What is on record of it, in words."]
    error: Annotated[Record | None, "What went wrong, as a run's error."]
    found: Annotated[object, "What a poll has found, or what would start; null for nothing."]
    lines: Annotated[list[Record], "Its log lines, oldest first."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class DeliveriesPage:
    """`/deliveries`: what was posted to webhooks, newest first."""

    rows: Annotated[list[EventRow], "The deliveries."]
    triggers: Annotated[list[Link], "Of each row, in order: the webhook that it is counted to."]
    outcomes: Annotated[list[Choice], "Outcomes to filter by."]
    newest_url: Annotated[str | None, "First part of the list, where this is another."]
    older_url: Annotated[str | None, "Next part of the list."]
    empty: Annotated[Empty | None, "What to say where none fits."]
    notice: Annotated[str, "What the last form did."]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """`/deliveries/{id}`: one delivery, as it came and what became of it."""

    delivery: Annotated[Record, "The delivery as the API gives it, with headers, query and body."]
    row: Annotated[EventRow, "The same as a row."]
    triggers: Annotated[list[Link], "The webhooks that it matched, or that were considered."]
    facts: Annotated[list[tuple[str, str]], "What is on record of it, in words."]
    relatives: Annotated[list[Link], "The delivery that it repeats, or was sent anew from."]
    payloads: Annotated[bool, "Whether the reader may see the body."]
    kept: Annotated[bool, "Whether its body is on record, so that it can be sent anew."]
    notice: Annotated[str, "What the last form did."]
