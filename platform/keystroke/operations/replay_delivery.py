"""Replay a delivery: the webhooks as they are now take it anew; neither signature nor duplicates are looked at."""

from __future__ import annotations

from dataclasses import replace

from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor
from keystroke.domain.delivery import Delivery
from keystroke.domain.post import Post
from keystroke.domain.scope import Scope
from keystroke.domain.trigger_event import INVOKE_METHOD
from keystroke.errors import DeliveryNotFound, DeliveryNotKept
from keystroke.operations.route_delivery import Arrival, Routed, route
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, deliveries, sources

_NO_BODY = "its body was not kept, since its sender was not known."
_NO_SOURCE = "the code that is deployed now has none of the webhooks that it came to."


def replay_delivery(
    database: Database, scope: Scope, actor: Actor, delivery_id: str, settings: Settings, box: Box | None
) -> Routed:  # fmt: skip
    """Record a new delivery of the same content, and what it starts; wake what it names (`Routed.started`) afterwards.

    It goes to the webhooks that took it, or that knew its sender, then. Raises DeliveryNotFound, DeliveryNotKept.
    """
    with database.transaction() as tx:
        routed = route(tx, _arrival(scope, tx, actor, delivery_id), settings, box)
        target = f"{delivery_id} as {routed.delivery_id}"
        access.audit(tx, scope.organization_id, actor, "delivery.replay", delivery_id, target)
        crash_point("delivery-receiving")
    crash_point("delivery-received")
    return routed


def _arrival(scope: Scope, tx: Tx, actor: Actor, delivery_id: str) -> Arrival:
    delivery = deliveries.get_delivery(scope, tx, delivery_id)
    # Whoever may replay it need not be allowed to see it.
    body = deliveries.find_body(replace(scope, payloads=True), tx, delivery)
    if body is None:
        raise DeliveryNotKept(delivery_id=delivery_id, why=_NO_BODY)
    project = access.find_project(scope, tx, delivery.project_id)
    if project is None:
        raise DeliveryNotFound(delivery_id=delivery_id)
    at_endpoint = sources.of_endpoint(tx, project.id, delivery.endpoint)
    live = [each for each in at_endpoint if each.retired_at is None]
    meant = [each for each in live if each.slug in delivery.triggers]
    if not meant:
        raise DeliveryNotKept(delivery_id=delivery_id, why=_NO_SOURCE)
    return Arrival(
        project,
        delivery.endpoint,
        _post(delivery, body),
        meant,
        len(live) > 1,
        replay_of=delivery.id,
        actor=actor,
    )


def _post(delivery: Delivery, body: bytes) -> Post:
    method = "POST" if delivery.method == INVOKE_METHOD else delivery.method
    headers = {**delivery.headers}
    if delivery.content_type is not None:
        headers.setdefault("content-type", delivery.content_type)
    return Post(method, headers, delivery.query, body, delivery.remote_addr)
