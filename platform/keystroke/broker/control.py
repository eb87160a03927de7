"""Cancels of running runs, told to the workers at once over a Redis channel.

The row is the request, this is its express: when Redis is away a worker learns of it with its next heartbeat.
The channel is our own rather than Celery's remote control, which a worker does not hear while it is busy with
deliveries or reconnects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from keystroke.broker.listening import ChannelListener
from keystroke.broker.publisher import Publisher
from keystroke.broker.redis_client import redis_client
from keystroke.settings import Settings

_PATIENCE: Final = 0.8

#: Told of a cancel: (run id, attempt).
OnCancel = Callable[[str, int], None]


def _channel(settings: Settings) -> str:
    return f"{settings.key_prefix}:cancel"


class Control:
    """Tells workers; never raises, never makes its caller wait."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily, in the background thread."""
        self._channel = _channel(settings)
        self._client = redis_client(settings, timeout=_PATIENCE)
        self._publisher = Publisher("keystroke-control")

    def cancel(self, worker_id: str | None, run_id: str, attempt: int) -> None:
        """Have the worker interrupt this attempt and no other; without a worker there is nobody to tell."""
        if worker_id is None:
            return
        message = json.dumps({"worker": worker_id, "run": run_id, "attempt": attempt})
        self._publisher.hand_over(f"{run_id}/{attempt}", lambda: self._publish(message))

    def close(self) -> None:
        """Send what waits, for a second at most."""
        self._publisher.close()

    def _publish(self, message: str) -> None:
        self._client.publish(self._channel, message)


class ControlListener(ChannelListener):
    """A worker's ear for the cancels that are meant for it."""

    def __init__(self, settings: Settings, worker_id: Callable[[], str], on_cancel: OnCancel) -> None:
        """`worker_id` is asked for each message, since a worker may have to register anew."""
        super().__init__(settings, _channel(settings), self._hear_request)
        self._worker_id = worker_id
        self._on_cancel = on_cancel

    def _hear_request(self, data: bytes) -> None:
        request = json.loads(data)
        if request["worker"] == self._worker_id():
            self._on_cancel(request["run"], request["attempt"])
