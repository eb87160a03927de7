"""Waiting for the end of a tick: the thread holds no connection, the process's one reader looks for it."""

from __future__ import annotations

import threading
from typing import Final

from keystroke.domain.scope import Scope
from keystroke.errors import TriggerEventNotFound
from keystroke.store import Tx, trigger_events
from keystroke.store.sources import Source
from keystroke_api.services import services


class _Awaited:
    """One thread's wait for one tick."""

    def __init__(self, scope: Scope, source: Source, tick_id: str) -> None:
        self._scope: Final = scope
        self._source: Final = source
        self._tick_id: Final = tick_id
        self.over: Final = threading.Event()

    def look(self, tx: Tx) -> None:
        """See `waits.Follower`. One that is gone has ended too."""
        try:
            event = trigger_events.get_event(self._scope, tx, self._source, self._tick_id)
        except TriggerEventNotFound:
            self.over.set()
            return
        if event.outcome is not None:
            self.over.set()

    def end(self) -> None:
        """See `waits.Follower`."""
        self.over.set()


def wait_for_tick(scope: Scope, source: Source, tick_id: str, seconds: float) -> None:
    """Wait until the tick has ended, at most so long; not at all where too many wait, or the process ends."""
    awaited, waits = _Awaited(scope, source, tick_id), services().waits
    if not waits.follow(awaited):
        return
    try:
        awaited.over.wait(seconds)
    finally:
        waits.unfollow(awaited)
