"""`/triggers/{id}`: one trigger, what it did, when it fires next, and the forms that steer it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Response, request

from keystroke.clock import rfc3339
from keystroke.domain.schedule import Timing
from keystroke.domain.secrets import redact
from keystroke.domain.source import OUTCOMES as EVERY_OUTCOME
from keystroke.errors import PathError
from keystroke.operations.api_keys import Principal
from keystroke.operations.secret_health import secret_trouble
from keystroke.store import deployments, trigger_events
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.auth import Role
from keystroke_api.refusals import InvalidRequest
from keystroke_api.services import services
from keystroke_api.signing import public_url, signing_of
from keystroke_api.trigger_json import hidden
from keystroke_api.triggers import find_trigger
from keystroke_api.ui.address import Address
from keystroke_api.ui.backfill_form import backfill_part
from keystroke_api.ui.contexts import Choice, Field
from keystroke_api.ui.entry import Entry
from keystroke_api.ui.event_rows import OUTCOMES, event_row, is_place
from keystroke_api.ui.notices import take_notice
from keystroke_api.ui.schema_fields import entered_value, fields_of, fits_form
from keystroke_api.ui.showing import show
from keystroke_api.ui.state_form import state_part
from keystroke_api.ui.trigger_contexts import (
    BackfillPart,
    ClockPart,
    EventRow,
    StatePart,
    TriggerPage,
    WebhookPart,
)
from keystroke_api.ui.trigger_facts import facts_of
from keystroke_api.ui.trigger_rows import trigger_row

_NEWEST: Final = 25
_NEXT: Final = 10


@dataclass
class Entered:
    """What was entered into the forms of the page, where one of them is shown again with what is wrong with it."""

    payload: Entry = field(default_factory=Entry)
    state: StatePart | None = None
    backfills: BackfillPart | None = None
    trial: dict[str, Any] | None = None
    status: int = 200


def get_trigger_page(caller: Principal, trigger_id: str) -> Response:
    """The trigger with its newest events."""
    project, source = find_trigger(caller, trigger_id, None)
    as_json = Address.current().values("payload") == ["json"]
    return shown(caller, project, source, Entered(Entry(json="" if as_json else None)))


def shown(caller: Principal, project: Project, source: Source, entered: Entered) -> Response:
    """The page, with what was entered where it did not fit."""
    address = Address.current() if request.method == "GET" else Address(f"/triggers/{source.id}")
    events, newest, older = _events(caller, source, address)
    with services().database.read() as tx:
        workflows = deployments.get_workflows(caller.scope, tx, project)
        last = trigger_events.list_last_events(caller.scope, tx, [source]).get(source.id)
    trouble = secret_trouble(source, services().secrets)
    row = trigger_row(project, source, workflows, last, trouble)
    fields, as_json = _payload_form(source, entered.payload)
    page = TriggerPage(
        row=row, may_steer=Role[caller.role.upper()] >= Role.ADMIN, webhook=_webhook(project, source),
        clock=_clock(source), state=entered.state or state_part(caller, source),
        backfills=entered.backfills or backfill_part(caller, source),
        schema=source.manifest.payload_schema, fields=fields, as_json=as_json,
        workflows=[Choice(each.workflow, each.name, False) for each in row.attachments],
        command=_command(source), trial=entered.trial, errors=entered.payload.whole, outcomes=_outcomes(source, address),
        events=events, newest_url=newest, older_url=older, notice=take_notice(),
    )  # fmt: skip
    return show("trigger.html", page, title=source.manifest.name, section="triggers", status=entered.status)


def _events(
    caller: Principal, source: Source, address: Address
) -> tuple[list[EventRow], str | None, str | None]:
    outcomes = [each for each in EVERY_OUTCOME if each in address.values("outcome")]
    before = next(iter(address.values("cursor")), None)
    if before is not None and not is_place(before):
        raise InvalidRequest(what="query", errors=[PathError("$.cursor", "is no cursor of this list")])
    with services().database.read() as tx:
        found = trigger_events.list_events(
            caller.scope, tx, source, outcomes=outcomes, before=before, limit=_NEWEST + 1
        )
    older = str(address.with_("cursor", found[_NEWEST - 1].place)) if len(found) > _NEWEST else None
    newest = str(address.without("cursor")) if before else None
    return [event_row(each, source.id) for each in found[:_NEWEST]], newest, older


def _outcomes(source: Source, address: Address) -> list[Choice]:
    chosen = address.values("outcome")
    webhook = {"fired", "filtered", "duplicate", "rejected", "unrouted", "error"}
    clock = {"fired", "filtered", "skipped_overlap", "error", "missed"}
    possible = webhook if source.manifest.kind == "webhook" else clock
    return [
        Choice(each, OUTCOMES[each][1], each in chosen)
        for each in EVERY_OUTCOME
        if each in possible or each in chosen
    ]


def _webhook(project: Project, source: Source) -> WebhookPart | None:
    signing = signing_of(source)
    if signing is None:
        return None
    facts = facts_of(redact(dict(source.manifest.options), hidden()), source.manifest.source)
    return WebhookPart(url=public_url(source, project) or "", how=signing["how"], facts=facts)


def _clock(source: Source) -> ClockPart | None:
    options = source.manifest.options
    if source.manifest.kind == "webhook":
        return None
    timing = Timing.from_options(options)
    after = source.paused_until if source.paused and source.paused_until else source.now
    upcoming = [] if source.retired_at or source.disabled_at else timing.upcoming(after, _NEXT)
    return ClockPart(
        facts=facts_of(redact(dict(options), hidden()), source.manifest.source),
        next=[(rfc3339(fire.at), timing.local_text(fire.at)) for fire in upcoming],
    )


def _payload_form(source: Source, entry: Entry) -> tuple[list[Field], str | None]:
    """The form that fires it by hand: a poll finds its payloads itself, a schedule has one."""
    schema = source.manifest.payload_schema or {}
    if source.manifest.kind == "poll":
        return [], None
    if entry.json is None and fits_form(schema):
        return fields_of(schema, entry.entered, entry.by_field), None
    return [], entry.json or json.dumps(_example(source), indent=2, ensure_ascii=False)


def _example(source: Source) -> Any:
    """The payload to begin with: a schedule's own, else the defaults of the schema."""
    if source.manifest.kind == "schedule":
        return source.manifest.options.get("payload")
    schema = source.manifest.payload_schema or {}
    if not fits_form(schema):
        return {}
    return entered_value(schema, {each.name: each.value for each in fields_of(schema)})[0]


def _command(source: Source) -> str:
    line = f"keystroke triggers invoke {source.slug}"
    if source.manifest.kind != "webhook":
        return line
    example = json.dumps(_example(source), ensure_ascii=False).replace("'", "'\\''")
    return f"{line} --input '{example}'"
