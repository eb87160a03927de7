"""Canceling a run or a tick: the request in the database, then whoever has to hear of it at once."""

from __future__ import annotations

from keystroke.domain.states import Status
from keystroke.domain.trigger_event import TriggerEvent
from keystroke.errors import TickEnded
from keystroke.operations.api_keys import Principal
from keystroke.operations.cancel_children import cancel_children
from keystroke.operations.cancel_run import CancelRequested, cancel_run
from keystroke.operations.cancel_tick import cancel_tick
from keystroke.store import trigger_events
from keystroke.store.sources import Source
from keystroke_api.services import services


def cancel(caller: Principal, run_id: str) -> CancelRequested:
    """Cancel, and the run's children with it. Raises RunNotFound, RunEnded.

    The result's status is `canceled`, or `running` while its code lets go.
    """
    own = services()
    requested = cancel_run(own.database, caller.scope, run_id, caller.actor, own.settings)
    _tell(requested)
    for child in cancel_children(own.database, run_id, caller.actor, own.settings):
        _tell(child)
    return requested


def cancel_of_trigger(caller: Principal, source: Source, event_id: str) -> TriggerEvent:
    """Cancel a tick of a poll; the tick as it is then, without an outcome while its code lets go.

    Raises TriggerEventNotFound, TickEnded.
    """
    own = services()
    with own.database.read() as tx:
        event = trigger_events.get_event(caller.scope, tx, source, event_id)
    asked = cancel_tick(own.database, caller.scope, caller.actor, event_id) if event.outcome is None else None
    if asked is not None and asked.worker_id is not None:
        own.control.cancel(asked.worker_id, event_id, asked.attempt)
    with own.database.read() as tx:
        after = trigger_events.get_event(caller.scope, tx, source, event_id)
    if asked is None:
        raise TickEnded(tick=event_id, trigger=source.slug, outcome=after.outcome)
    return after


def _tell(requested: CancelRequested) -> None:
    own = services()
    if requested.status is Status.RUNNING:
        own.control.cancel(requested.worker_id, requested.run_id, requested.attempt)
    own.wakeups.wake_all(requested.woken)
