"""What a delivery whose sender is known comes to: a part of the transaction that records it.

In this order: recognise one that was there before, read it by each source's schema, match, start what is attached, record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

from keystroke import ids
from keystroke.box import Box
from keystroke.domain.actor import Actor
from keystroke.domain.delivery import DELIVERY, kept_headers, kept_query
from keystroke.domain.post import Post, matches
from keystroke.domain.source import Outcome
from keystroke.errors import DeliveryRateLimited, PathError
from keystroke.operations.check_payload import Body, Reading, read_payload
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.operations.start_run import StartedRun
from keystroke.settings import Settings
from keystroke.store import Tx, deliveries, delivery_rates
from keystroke.store.access import Project
from keystroke.store.deliveries import EarlierDelivery, NewDelivery
from keystroke.store.sources import Source
from keystroke.verify.check import credentials

#: For how long a delivery that comes again under its key is known.
KEY_WINDOW_US: Final = 24 * 3_600 * 1_000_000
_MICROS: Final = 1_000_000
#: What a source says to a body: take it; it is another's event; it is wrong; or it would perhaps, and is switched off.
Verdict = Literal["taken", "other", "wrong", "held"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A post with the sources that know its sender, by slug. `shared`: the endpoint has others besides, or several of these.

    `key` is what it is known by if it comes again. A replay names the delivery that it repeats and whoever asked for it: it has
    no key, and no rate holds it back.
    """

    project: Project
    endpoint: str
    post: Post
    sources: Sequence[Source]
    shared: bool
    key: str | None = None
    replay_of: str | None = None
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """What is recorded, and the `status` to answer with. Of a duplicate `delivery_id` and `run_ids` are the earlier one's.

    `respond` is what its source wants answered in place of our own JSON. Wake what `started` names after the commit.
    """

    delivery_id: str
    outcome: Outcome
    status: int
    run_ids: tuple[str, ...] = ()
    duplicate: bool = False
    errors: tuple[PathError, ...] = ()
    respond: dict[str, Any] | None = None
    started: tuple[StartedRun, ...] = ()


@dataclass(frozen=True, slots=True)
class _Heard:
    source: Source
    verdict: Verdict
    reading: Reading


def route(tx: Tx, arrival: Arrival, settings: Settings, box: Box | None) -> Routed:
    """Decide, start and record. DeliveryRateLimited, PayloadTooLarge: then nothing may be committed."""
    delivery_id = ids.new(DELIVERY)
    earlier = _earlier(tx, arrival, delivery_id)
    if earlier is not None:
        routed = Routed(
            earlier.id,
            "duplicate",
            HTTPStatus.OK,
            earlier.run_ids,
            duplicate=True,
            respond=_respond(arrival.sources),
        )
        _record(tx, arrival, settings, delivery_id, routed, arrival.sources)
        return routed
    body = Body(arrival.post)
    heard = [_hear(each, arrival, body, settings) for each in arrival.sources]
    taking = [each for each in heard if each.verdict == "taken"]
    started = _start(tx, arrival, delivery_id, taking, settings, box)
    outcome, status = _outcome(heard, started)
    if arrival.key is not None and outcome not in ("fired", "filtered"):
        deliveries.release_key(tx, arrival.project.id, arrival.endpoint, arrival.key, delivery_id)
    named = [each.source for each in taking or heard]
    routed = Routed(
        delivery_id, outcome, status, tuple(each.run_id for each in started), started=tuple(started),
        errors=_errors(heard) if outcome == "rejected" else (), respond=_respond(named),
    )  # fmt: skip
    _record(tx, arrival, settings, delivery_id, routed, named, None if started else _error_of(heard))
    return routed


def _earlier(tx: Tx, arrival: Arrival, delivery_id: str) -> EarlierDelivery | None:
    if arrival.key is None:
        return None
    return deliveries.take_key(
        tx, arrival.project.id, arrival.endpoint, arrival.key, delivery_id, KEY_WINDOW_US
    )


def _respond(sources: Sequence[Source]) -> dict[str, Any] | None:
    wanted: dict[str, Any] | None = sources[0].manifest.options.get("respond")
    return wanted


def _hear(source: Source, arrival: Arrival, body: Body, settings: Settings) -> _Heard:
    hidden = frozenset(key.lower() for key in settings.redact)
    reading = read_payload(source, body, hidden)
    wanted = source.manifest.options.get("match") or {}
    verdict: Verdict = "taken"
    if reading.other_event or not matches(wanted, arrival.post, reading.payload):
        verdict = "other"
    elif not source.active:
        verdict = "other" if reading.errors and arrival.shared else "held"
    elif reading.errors:
        verdict = "other" if arrival.shared else "wrong"
    elif not any(each.active for each in source.attachments):
        verdict = "held"
    return _Heard(source, verdict, reading)


def _start(
    tx: Tx, arrival: Arrival, delivery_id: str, taking: Sequence[_Heard], settings: Settings, box: Box | None
) -> list[StartedRun]:
    if arrival.replay_of is None:
        for each in taking:
            _take_turn(tx, each.source)
    event = SourceEvent(delivery_id, actor=arrival.actor, traceparent=arrival.post.headers.get("traceparent"))
    wanted = [wish for each in taking for wish in wishes(each.source, each.reading.payload)]
    return start_attached(tx, arrival.project, event, wanted, settings, box) if wanted else []


def _take_turn(tx: Tx, source: Source) -> None:
    limit = source.manifest.options.get("rate_limit")
    if limit is None:
        return
    wait = delivery_rates.take_turn(
        tx, source.project_id, source.id, limit["limit"], round(limit["per"] * _MICROS)
    )
    if wait is not None:
        raise DeliveryRateLimited(trigger=source.slug, retry_after=-(-wait // _MICROS))


def _outcome(heard: Sequence[_Heard], started: Sequence[StartedRun]) -> tuple[Outcome, int]:
    if started:
        return "fired", HTTPStatus.ACCEPTED
    verdicts = {each.verdict for each in heard}
    if "wrong" in verdicts:
        return "rejected", HTTPStatus.UNPROCESSABLE_ENTITY
    return ("unrouted", HTTPStatus.ACCEPTED) if "held" in verdicts else ("filtered", HTTPStatus.OK)


def _errors(heard: Sequence[_Heard]) -> tuple[PathError, ...]:
    return next((each.reading.errors for each in heard if each.reading.errors), ())


def _error_of(heard: Sequence[_Heard]) -> dict[str, Any] | None:
    """What is kept of what was wrong: also where nobody was told, because another source might have taken it."""
    errors = _errors(heard)
    if not errors:
        return None
    detail = "the body does not fit what the webhook takes"
    return {"code": "invalid-delivery", "detail": detail, "errors": [each.as_json() for each in errors]}


def _record(
    tx: Tx, arrival: Arrival, settings: Settings, delivery_id: str, routed: Routed, named: Sequence[Source],
    error: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    post = arrival.post
    headers, query = kept(post, arrival.sources, settings)
    deliveries.insert_delivery(
        tx,
        NewDelivery(
            id=delivery_id, project_id=arrival.project.id, endpoint=arrival.endpoint, source_id=named[0].id,
            sources=[each.slug for each in named], method=post.method, content_type=post.shown_type,
            remote_addr=post.remote_addr, headers=headers, query=query, size=len(post.body), body=post.body,
            outcome=routed.outcome, status=routed.status, error=error, run_ids=routed.run_ids,
            dedupe_key=arrival.key, duplicate_of=routed.delivery_id if routed.duplicate else None,
            replay_of=arrival.replay_of,
        ),
    )  # fmt: skip


def kept(post: Post, sources: Sequence[Source], settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query of a post as they are kept: without what the sources' verifiers take for a secret, and its like."""
    specs = [each.manifest.options.get("verify") or {"scheme": "open"} for each in sources]
    private = [credentials(spec) for spec in specs]
    signed = {spec["header"].lower() for spec in specs if spec.get("header")}
    hidden = frozenset(key.lower() for key in settings.redact)
    in_headers = frozenset(signed).union(hidden, *(headers for headers, _ in private))
    in_query = frozenset[str]().union(*(query for _, query in private))
    return kept_headers(post.headers, in_headers), kept_query(post.query, in_query, hidden)
