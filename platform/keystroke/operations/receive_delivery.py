"""Receive what is posted to a webhook.

Who sent it is known before anything else; what it comes to is committed before it is answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from keystroke import ids
from keystroke.box import Box
from keystroke.clock import to_micros
from keystroke.crashpoints import crash_point
from keystroke.domain.challenge import Challenge
from keystroke.domain.delivery import DELIVERY
from keystroke.domain.payload import digest, encode_payload
from keystroke.domain.post import ABSENT, Place, Post
from keystroke.errors import DeliveryRefused, EndpointNotFound, EndpointRetired, Unverified
from keystroke.operations.check_payload import Body
from keystroke.operations.route_delivery import Arrival, Routed, kept, route
from keystroke.settings import Settings
from keystroke.store import Database, deliveries, sources
from keystroke.store.access import Project
from keystroke.store.deliveries import REFUSED_STATUS, NewDelivery
from keystroke.store.sources import Source
from keystroke.verify.check import delivery_id as provider_id
from keystroke.verify.check import verify

#: A key as it is kept; what is longer, or of other characters, is kept by its digest.
_SHORT: Final = re.compile(r"[\x20-\x7e]{1,200}\Z")
_MICROS: Final = 1_000_000
#: The live secrets of a reference in a project.
Secrets = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where something was posted: the sources there that are not retired, by slug."""

    project: Project
    name: str
    sources: tuple[Source, ...]


def find_endpoint(database: Database, organization: str, project: str | None, name: str) -> Endpoint:
    """The endpoint of a project, without one of the organization's oldest. Raises EndpointNotFound, EndpointRetired."""
    with database.single_read() as tx:
        found = sources.posted_to(tx, organization, project, name)
    if found is None:
        raise EndpointNotFound(endpoint=name)
    live = tuple(each for each in found[1] if each.retired_at is None)
    if not live:
        raise EndpointRetired(endpoint=name)
    return Endpoint(found[0], name, live)


def answer_challenge(endpoint: Endpoint, post: Post, secrets: Secrets) -> str | None:
    """The answer to a provider's handshake, which is no delivery; None: it is none. Raises ChallengeRefused.

    One that is signed as deliveries are is one only where the signature is good.
    """
    body = Body(post)
    for source in endpoint.sources:
        named = source.manifest.options.get("challenge")
        challenge = None if named is None else Challenge.parse(named)
        if challenge is None or not challenge.asks(post, body.read_or_null):
            continue
        if challenge.is_signed and not _known(replace(endpoint, sources=(source,)), post, secrets)[0]:
            continue
        reference = challenge.secret or source.manifest.options["verify"].get("secret")
        return challenge.answer(post, body.read_or_null, partial(secrets, reference) if reference else tuple)
    return None


def answers_get(endpoint: Endpoint) -> bool:
    """Whether a source of the endpoint has a handshake that comes as a GET."""
    named = (each.manifest.options.get("challenge") for each in endpoint.sources)
    return any(Challenge.parse(each).is_get for each in named if each is not None)


def receive_delivery(
    database: Database, endpoint: Endpoint, post: Post, settings: Settings, box: Box | None, secrets: Secrets
) -> Routed:  # fmt: skip
    """Verify, record and start, all of it in one transaction; wake what it names (`Routed.started`) afterwards.

    Raises DeliveryRefused (counted and recorded), DeliveryRateLimited and PayloadTooLarge (not recorded).
    """
    known, whys = _known(endpoint, post, secrets)
    if not known:
        refuse_delivery(database, endpoint, post, whys, settings)
        raise DeliveryRefused
    shared = len(endpoint.sources) > 1
    arrival = Arrival(endpoint.project, endpoint.name, post, known, shared, key_of(known, post))
    with database.transaction() as tx:
        routed = route(tx, arrival, settings, box)
        crash_point("delivery-receiving")
    crash_point("delivery-received")
    return routed


def refuse_delivery(
    database: Database, endpoint: Endpoint, post: Post, whys: Sequence[str], settings: Settings
) -> None:
    """Count at each source that somebody unknown has posted, and keep what he sent besides his body; `whys` is for operators."""
    headers, query = kept(post, endpoint.sources, settings)
    error = {"code": Unverified.code, "detail": "; ".join(dict.fromkeys(whys)), "errors": []}
    refused = NewDelivery(
        id=ids.new(DELIVERY), project_id=endpoint.project.id, endpoint=endpoint.name, source_id=endpoint.sources[0].id,
        sources=[each.slug for each in endpoint.sources], method=post.method, content_type=post.shown_type,
        remote_addr=post.remote_addr, headers=headers, query=query, size=len(post.body), body=None, outcome="rejected",
        status=REFUSED_STATUS, error=error,
    )  # fmt: skip
    with database.transaction() as tx:
        deliveries.insert_delivery(tx, refused)
        deliveries.count_refused(tx, [each.id for each in endpoint.sources])


def _known(endpoint: Endpoint, post: Post, secrets: Secrets) -> tuple[list[Source], list[str]]:
    """The sources that know the sender, and why the others do not."""
    known, whys = [], []
    for source in endpoint.sources:
        try:
            _verify(source, post, secrets)
        except Unverified as error:
            whys.append(error.why)
        else:
            known.append(source)
    return known, whys


def _verify(source: Source, post: Post, secrets: Secrets) -> None:
    spec, now = source.manifest.options["verify"], to_micros(source.now) / _MICROS
    verify(spec, post.headers, post.query, post.body, secrets, now)


def key_of(known: Sequence[Source], post: Post) -> str | None:
    """By what the delivery is known if it comes again: what a source names, else the provider's own id."""
    body = Body(post)
    for source in known:
        options = source.manifest.options
        named = _named(options["dedupe"], post, body) if options.get("dedupe") else None
        if found := named or provider_id(options["verify"], post.headers, post.body):
            return found
    return None


def _named(place: str, post: Post, body: Body) -> str | None:
    where = Place.parse(place)
    value = where.read(post, body.read_or_null() if where.part == "body" else None)
    if value is ABSENT or value is None or value == "":
        return None
    text = value if isinstance(value, str) else encode_payload(value, what="key")
    return text if _SHORT.match(text) else "sha256:" + digest(text)
