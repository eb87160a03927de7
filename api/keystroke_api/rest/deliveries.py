"""Deliveries: what was posted to webhooks, what became of it, and taking it anew."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keystroke.domain.delivery import DELIVERY, Delivery
from keystroke.domain.source import Outcome
from keystroke.errors import KeystrokeError
from keystroke.operations.api_keys import Principal
from keystroke.operations.replay_delivery import replay_delivery as replay
from keystroke.operations.route_delivery import Routed
from keystroke.store import deliveries
from keystroke.store.deliveries import DeliveryFilter
from keystroke_api.answers import json_answer, part_of
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.problems import Problem, problem_document
from keystroke_api.rest.documents import Cursor, Time
from keystroke_api.rest.texts import API, Text
from keystroke_api.rest.texts import Time as GivenTime
from keystroke_api.services import services
from keystroke_api.starting import wake_and_interrupt
from keystroke_api.trigger_json import hidden

_MARK = f"{DELIVERY}_"
#: Deliveries that are replayed by one request.
_MOST_REPLAYED = 1_000
DeliveryCursor = Annotated[str, StringConstraints(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]


class DeliveryError(BaseModel):
    """What was wrong with a delivery."""

    code: str
    detail: str
    errors: list[dict[str, str]] = Field(description="Where and what: `{path, message}`.")


class DeliverySummary(BaseModel):
    """A delivery, without what was posted."""

    id: str
    project: str
    endpoint: str
    trigger: str | None = Field(description="Slug of the webhook; of several that took it the first.")
    triggers: list[str] = Field(description="All that took it, else all that might have.")
    received_at: Time
    method: str = Field(description="`INVOKE` where somebody fired the webhook by hand.")
    content_type: str | None
    remote_addr: str | None
    size: int = Field(description="Bytes of the body.")
    outcome: Outcome
    status: int = Field(description="HTTP status that it was answered with.")
    error: DeliveryError | None
    run_ids: list[str] = Field(description="Runs that it started; they may be deleted by now.")
    dedupe_key: str | None = Field(description="What it is known by if it comes again.")
    duplicate_of: str | None
    replay_of: str | None


class DeliveryBody(BaseModel):
    """What was posted. Of JSON and forms the secret values are redacted."""

    encoding: Literal["json", "form", "text", "base64"]
    value: Any


class DeliveryDocument(DeliverySummary):
    """A delivery, whole."""

    headers: dict[str, Any] = Field(
        description="By lower-case name; credentials and signatures are not kept."
    )
    query: dict[str, Any]
    body: DeliveryBody | None = Field(description="Null where it was not kept: its sender was not known.")


class DeliveryList(BaseModel):
    """Part of the list, newest first."""

    data: list[DeliverySummary]
    next_cursor: Cursor
    has_more: bool


class _Filter(BaseModel):
    """Filters combine with AND, values of one filter with OR."""

    model_config = ConfigDict(extra="forbid")

    project: tuple[Text, ...] = Field(default=(), max_length=100, description="Slug of the project.")
    trigger: tuple[Text, ...] = Field(default=(), max_length=100, description="Slug or id of the webhook.")
    endpoint: tuple[Text, ...] = Field(default=(), max_length=100, description="Where it was posted.")
    outcome: tuple[Outcome, ...] = Field(default=(), max_length=100, description="What became of it.")
    since: GivenTime | None = Field(default=None, description="Received at this time or later.")
    until: GivenTime | None = Field(default=None, description="Received at this time or earlier.")

    def wanted(self, *, replayable: bool = False) -> DeliveryFilter:
        """What the store filters by."""
        names = ("project", "trigger", "endpoint", "outcome", "since", "until")
        return DeliveryFilter(**{name: getattr(self, name) for name in names}, replayable=replayable)


class DeliveriesQuery(_Filter):
    """Which deliveries."""

    limit: int = Field(default=50, ge=1, le=200, description="Deliveries in one answer.")
    cursor: DeliveryCursor | None = Field(
        default=None, description="`next_cursor` of the answer before; opaque."
    )


class ReplayFilter(_Filter):
    """Which deliveries to replay; of those whose sender was not known, and of replays, none is."""


class ReplayDeliveriesBody(BaseModel):
    """Many deliveries to replay, the oldest first."""

    model_config = ConfigDict(extra="forbid")

    filter: ReplayFilter
    dry_run: bool = Field(default=False, description="Only say which would be replayed.")
    limit: int = Field(default=100, ge=1, le=_MOST_REPLAYED, description="Deliveries at once.")
    cursor: DeliveryCursor | None = Field(
        default=None, description="`next_cursor` of the answer before; opaque."
    )


class ReplayedDelivery(BaseModel):
    """A new delivery, of what another one brought."""

    replay_of: str
    delivery_id: str
    outcome: Outcome
    run_ids: list[str]


class ReplayFailed(BaseModel):
    """A delivery that could not be replayed."""

    replay_of: str
    problem: Problem


class WouldBeReplayed(BaseModel):
    """A delivery that a replay would take."""

    replay_of: str
    outcome: Outcome = Field(description="What became of it then.")


class ReplayedDeliveries(BaseModel):
    """For each delivery, oldest first, what became of it."""

    dry_run: bool
    data: list[ReplayedDelivery | ReplayFailed | WouldBeReplayed]
    next_cursor: Cursor
    has_more: bool


@operation(
    "GET", f"{API}/deliveries", role=Role.VIEWER, answers={200: Answer("Part of the list.", DeliveryList)}
)
def list_deliveries(caller: Principal, query: DeliveriesQuery) -> Response:
    """What was posted to webhooks, newest first."""
    before = None if query.cursor is None else _MARK + query.cursor
    with services().database.read() as tx:
        found = deliveries.list_deliveries(
            caller.scope, tx, query.wanted(), before=before, limit=query.limit + 1
        )
    shown, further = part_of(found, query.limit, _place_of)
    return json_answer({"data": [each.as_json() for each in shown], **further})


@operation(
    "GET", f"{API}/deliveries/<delivery_id>", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The delivery.", DeliveryDocument)},
)  # fmt: skip
def get_delivery(caller: Principal, delivery_id: str) -> Response:
    """One delivery with headers, query and body."""
    with services().database.read() as tx:
        found = deliveries.get_delivery(caller.scope, tx, delivery_id)
        body = deliveries.find_body(caller.scope, tx, found)
    return json_answer(found.whole_json(body, hidden()))


@operation(
    "POST", f"{API}/deliveries/<delivery_id>/replay", role=Role.RUNNER, problems=(404, 409, 413),
    answers={202: Answer("It was taken anew.", ReplayedDelivery)},
)  # fmt: skip
def replay_delivery(caller: Principal, delivery_id: str) -> Response:
    """Take a delivery anew, by the webhooks as they are now; neither signature nor duplicates are looked at."""
    return json_answer(_replayed_json(delivery_id, replay_one(caller, delivery_id)), 202)


@operation(
    "POST", f"{API}/deliveries/replay", role=Role.RUNNER,
    answers={200: Answer("What became of each.", ReplayedDeliveries)},
)  # fmt: skip
def replay_deliveries(caller: Principal, body: ReplayDeliveriesBody) -> Response:
    """Replay the deliveries that fit a filter, oldest first, each in a transaction of its own; go on with `next_cursor`."""
    after = _MARK + (body.cursor or "")
    with services().database.read() as tx:
        found = deliveries.list_deliveries(
            caller.scope, tx, body.filter.wanted(replayable=True), after=after, limit=body.limit + 1
        )
    chosen, further = part_of(found, body.limit, _place_of)
    if body.dry_run:
        data = [{"replay_of": each.id, "outcome": each.outcome} for each in chosen]
    else:
        data = [_replay_or_problem(caller, each.id) for each in chosen]
    return json_answer({"dry_run": body.dry_run, "data": data, **further})


def replay_one(caller: Principal, delivery_id: str) -> Routed:
    """Replay for somebody who was identified, and wake whom it concerns. Raises what the operation raises."""
    own = services()
    routed = replay(own.database, caller.scope, caller.actor, delivery_id, own.settings, own.box)
    for each in routed.started:
        wake_and_interrupt(each)
    return routed


def _replay_or_problem(caller: Principal, delivery_id: str) -> dict[str, Any]:
    """One that cannot be replayed does not keep the others from it."""
    try:
        return _replayed_json(delivery_id, replay_one(caller, delivery_id))
    except KeystrokeError as error:
        return {"replay_of": delivery_id, "problem": problem_document(error)}


def _replayed_json(delivery_id: str, routed: Routed) -> dict[str, Any]:
    return {
        "replay_of": delivery_id, "delivery_id": routed.delivery_id, "outcome": routed.outcome,
        "run_ids": list(routed.run_ids),
    }  # fmt: skip


def _place_of(delivery: Delivery) -> str:
    return delivery.id.removeprefix(_MARK)
