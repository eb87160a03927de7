"""`/deliveries`: what was posted to webhooks; each as it came, and what became of it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from flask import Response, redirect

from keystroke.domain.delivery import Delivery
from keystroke.domain.source import OUTCOMES as EVERY_OUTCOME
from keystroke.domain.trigger_event import DELIVERY_MARK
from keystroke.errors import DeliveryNotKept, PathError
from keystroke.operations.api_keys import Principal
from keystroke.store import deliveries
from keystroke.store.deliveries import DeliveryFilter
from keystroke_api.refusals import InvalidRequest
from keystroke_api.rest.deliveries import replay_one
from keystroke_api.services import services
from keystroke_api.trigger_json import hidden
from keystroke_api.ui.address import Address
from keystroke_api.ui.contexts import Choice, Empty, Link
from keystroke_api.ui.event_rows import MOST_RUNS, OUTCOMES, error_line, is_place, run_links
from keystroke_api.ui.notices import leave_notice, take_notice
from keystroke_api.ui.showing import show
from keystroke_api.ui.trigger_contexts import DeliveriesPage, DeliveryPage, EventRow
from keystroke_api.ui.wording import size_text

_NEWEST: Final = 50
_POSSIBLE: Final = ("fired", "filtered", "duplicate", "rejected", "unrouted", "error")
_NONE_YET: Final = Empty(
    "Nothing was posted yet.",
    "What services post to a webhook is kept here, whatever became of it. The page of a webhook says where to post and how to "
    "sign.",
    Link("Triggers", "/triggers"),
    "",
)
_NONE_FITS: Final = Empty(
    "None like that.", "No delivery has one of these outcomes.", Link("All deliveries", "/deliveries"), ""
)


def deliveries_page(caller: Principal) -> Response:
    """The deliveries to all webhooks, newest first."""
    address = Address.current()
    before = next(iter(address.values("cursor")), None)
    if before is not None and not is_place(before):
        raise InvalidRequest(what="query", errors=[PathError("$.cursor", "is no cursor of this list")])
    chosen = tuple(each for each in EVERY_OUTCOME if each in address.values("outcome"))
    with services().database.read() as tx:
        found = deliveries.list_deliveries(
            caller.scope, tx, DeliveryFilter(outcome=chosen), limit=_NEWEST + 1,
            before=None if before is None else DELIVERY_MARK + before,
        )  # fmt: skip
    shown = found[:_NEWEST]
    more = len(found) > _NEWEST
    page = DeliveriesPage(
        rows=[delivery_row(each) for each in shown], triggers=[_trigger_link(each) for each in shown],
        outcomes=[Choice(each, OUTCOMES[each][1], each in chosen) for each in EVERY_OUTCOME if each in _POSSIBLE],
        newest_url=str(address.without("cursor")) if before else None,
        older_url=str(address.with_("cursor", shown[-1].id.removeprefix(DELIVERY_MARK))) if more else None,
        empty=None if found else _NONE_FITS if chosen else _NONE_YET, notice=take_notice(),
    )  # fmt: skip
    return show("deliveries.html", page, title="Deliveries", section="triggers")


def delivery_page(caller: Principal, delivery_id: str) -> Response:
    """One delivery with its headers and its body."""
    with services().database.read() as tx:
        delivery = deliveries.get_delivery(caller.scope, tx, delivery_id)
        body = deliveries.find_body(caller.scope, tx, delivery)
    page = DeliveryPage(
        delivery=delivery.whole_json(body, hidden()), row=delivery_row(delivery),
        triggers=[
            Link(slug, f"/triggers?project={quote(delivery.project)}") if delivery.trigger != slug else _trigger_link(delivery)
            for slug in delivery.triggers
        ],
        facts=_facts(delivery), relatives=_relatives(delivery), payloads=caller.scope.payloads, kept=body is not None,
        notice=take_notice(),
    )  # fmt: skip
    return show("delivery.html", page, title=f"Delivery to {delivery.endpoint}", section="triggers")


def send_anew_from_page(caller: Principal, delivery_id: str) -> Response:
    """Take it anew; the page of the new delivery shows what became of it."""
    try:
        routed = replay_one(caller, delivery_id)
    except DeliveryNotKept as refused:
        return leave_notice(redirect(f"/deliveries/{delivery_id}", 303), str(refused))
    return leave_notice(redirect(f"/deliveries/{routed.delivery_id}", 303), "Sent anew.")


def delivery_row(delivery: Delivery) -> EventRow:
    """A delivery as the rows of events show it."""
    mark, words = OUTCOMES[delivery.outcome]
    shown = delivery.as_json()
    return EventRow(
        event={**shown, "at": shown["received_at"], "scheduled_at": None}, mark=mark, words=words,
        why=error_line(delivery.error) if delivery.error else _origin(delivery), url=f"/deliveries/{delivery.id}",
        runs=run_links(delivery.run_ids), runs_left_out=max(len(delivery.run_ids) - MOST_RUNS, 0),
    )  # fmt: skip


def _origin(delivery: Delivery) -> str:
    if delivery.method == "INVOKE":
        return "by hand"
    return "replay" if delivery.replay_of else ""


def _trigger_link(delivery: Delivery) -> Link:
    url = f"/triggers/{delivery.trigger_id}" if delivery.trigger_id else "/triggers"
    return Link(delivery.trigger or delivery.endpoint, url)


def _facts(delivery: Delivery) -> list[tuple[str, str]]:
    facts = [
        ("Delivery id", delivery.id), ("Endpoint", delivery.endpoint), ("Project", delivery.project),
        ("Answer", str(delivery.status)), ("From", delivery.remote_addr or ""), ("Content type", delivery.content_type or ""),
        ("Size", size_text(delivery.size)), ("Known by", delivery.dedupe_key or ""),
    ]  # fmt: skip
    return [(label, value) for label, value in facts if value]


def _relatives(delivery: Delivery) -> list[Link]:
    named = (("Repeats", delivery.duplicate_of), ("Sent anew from", delivery.replay_of))
    return [Link(f"{word} {other[-6:]}", f"/deliveries/{other}") for word, other in named if other]
