"""Fire a trigger by hand: a webhook with a payload, a schedule for now, a poll with a tick that a worker executes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keystroke import ids
from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import Actor
from keystroke.domain.delivery import DELIVERY
from keystroke.domain.payload import check_depth, encode_payload
from keystroke.domain.source import Outcome
from keystroke.domain.trigger_event import INVOKE_METHOD, INVOKED
from keystroke.errors import InvalidPayload, TriggerRetired, WrongTriggerKind
from keystroke.operations.check_input import fit_errors
from keystroke.operations.queue_tick import queue_tick
from keystroke.operations.set_trigger import require_attached
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.operations.start_run import StartedRun
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, deliveries, schedules, sources
from keystroke.store.access import Project
from keystroke.store.deliveries import NewDelivery
from keystroke.store.schedules import NewTick
from keystroke.store.sources import Source

#: What was answered to a delivery that was made by hand.
_ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Firing:
    """A wish to fire: the payload, if one is given (`None` is one then), for one workflow of those attached, or for all."""

    actor: Actor
    gives_payload: bool = False
    payload: Any = None
    workflow: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Invoked:
    """What is committed: the id of the delivery or the tick, the runs that it started, the queues to wake.

    Of a poll `outcome` is None: a worker is yet to execute its tick.
    """

    event_id: str
    outcome: Outcome | None
    started: tuple[StartedRun, ...] = ()
    woken: tuple[tuple[str, str], ...] = ()


def invoke_trigger(
    database: Database, project: Project, source_id: str, firing: Firing, settings: Settings, box: Box | None
) -> Invoked:
    """Fire a source, disabled or paused as it may be; who did it is on record with the event and in its runs, and audited.

    Without a workflow it starts what is attached and not disabled. Raises TriggerRetired, NotAttached, InvalidPayload,
    WrongTriggerKind, NotJson, PayloadTooLarge, and for a poll TickUnderWay; then nothing was recorded.
    """
    with database.transaction() as tx:
        source = sources.lock_source(tx, source_id)
        check_firing(source, firing)
        fire = {"webhook": _deliver, "schedule": _tick, "poll": _queue}[source.manifest.kind]
        invoked = fire(tx, project, source, firing, settings, box)
        verb = "trigger.dry_run" if firing.dry_run else "trigger.invoke"
        target = f"{project.slug}/{source.slug}"
        access.audit(tx, project.organization_id, firing.actor, verb, target, invoked.event_id)
        crash_point("runs-inserted")
    crash_point("runs-started")
    return invoked


def check_firing(source: Source, firing: Firing) -> None:
    """Raise what `invoke_trigger` raises for a wish that makes no sense for the source."""
    if source.retired_at is not None:
        raise TriggerRetired(trigger=source.slug)
    if firing.workflow is not None:
        require_attached(source, firing.workflow)
    if source.manifest.kind == "poll" and (firing.gives_payload or firing.workflow is not None):
        why = "it finds its payloads by itself, for all that is attached."
        raise WrongTriggerKind(trigger=source.slug, kind="poll", why=why)
    if firing.gives_payload:
        check_depth(firing.payload, what="payload")
    errors = payload_errors(source, firing)
    if errors and not firing.dry_run:
        raise InvalidPayload(what=f"trigger {source.slug}", errors=errors)


def payload_errors(source: Source, firing: Firing) -> list[Any]:
    """What is wrong with the payload by the source's schema."""
    schema = source.manifest.payload_schema
    if schema is None or source.manifest.kind == "poll":
        return []
    return fit_errors(schema, payload_of(source, firing))


def payload_of(source: Source, firing: Firing) -> Any:
    """The payload that was given, else the one that a schedule has itself."""
    if firing.gives_payload or source.manifest.kind != "schedule":
        return firing.payload
    return source.manifest.options.get("payload")


def _deliver(
    tx: Tx, project: Project, source: Source, firing: Firing, settings: Settings, box: Box | None
) -> Invoked:
    """A delivery like any other, with its body, so that it can be looked at and sent anew."""
    delivery_id = ids.new(DELIVERY)
    body = encode_payload(firing.payload, what="payload", limit=settings.payload_limit).encode()
    started = _start(tx, project, source, firing, SourceEvent(delivery_id, actor=firing.actor), settings, box)
    outcome: Outcome = "fired" if started else "unrouted"
    deliveries.insert_delivery(
        tx,
        NewDelivery(
            id=delivery_id, project_id=source.project_id, endpoint=str(source.manifest.options.get("endpoint")),
            source_id=source.id, sources=(source.slug,), method=INVOKE_METHOD, content_type="application/json",
            remote_addr=None, headers={}, query={}, size=len(body), body=body, outcome=outcome, status=_ACCEPTED,
            run_ids=[each.run_id for each in started],
        ),
    )  # fmt: skip
    return _invoked(delivery_id, outcome, started)


def _tick(
    tx: Tx, project: Project, source: Source, firing: Firing, settings: Settings, box: Box | None
) -> Invoked:
    """A tick for this moment, beside those of the clock: it neither keeps one of them from firing, nor counts as one."""
    tick_id = schedules.new_tick_id()
    event = SourceEvent(
        tick_id, scheduled_at=source.now, previous_fire=source.started_at, missed=0, actor=firing.actor
    )
    started = _start(tx, project, source, firing, event, settings, box)
    outcome: Outcome = "fired" if started else "unrouted"
    tick = NewTick(
        tick_id, source, source.now, outcome, tuple(each.run_id for each in started), source.started_at,
        origin=f"{INVOKED}{tick_id}", actor=firing.actor,
    )  # fmt: skip
    schedules.insert_ticks(tx, [tick])
    return _invoked(tick_id, outcome, started)


def _queue(
    tx: Tx, _project: Project, source: Source, firing: Firing, _settings: Settings, _box: Box | None
) -> Invoked:
    queued = queue_tick(tx, source, None, dry_run=firing.dry_run, actor=firing.actor)
    return Invoked(queued.tick_id, None, woken=((queued.project_id, queued.queue),))


def _start(
    tx: Tx, project: Project, source: Source, firing: Firing, event: SourceEvent, settings: Settings, box: Box | None
) -> list[StartedRun]:  # fmt: skip
    wanted = wishes(source, payload_of(source, firing), firing.workflow)
    return start_attached(tx, project, event, wanted, settings, box)


def _invoked(event_id: str, outcome: Outcome, started: list[StartedRun]) -> Invoked:
    woken = tuple(queue for each in started for queue in each.woken)
    return Invoked(event_id, outcome, tuple(started), woken)
