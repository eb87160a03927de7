"""Cancels of running runs, told to the workers at once over a Redis channel.

The row is the request, this is its express: when Redis is away a worker learns of it with its next heartbeat.
The channel is our own rather than Celery's remote control, which a worker does not hear while it is busy with
deliveries or reconnects.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from keystroke.broker.publisher import Publisher
from keystroke.broker.redis_client import REDIS_ERRORS, redis_client
from keystroke.settings import Settings

_PATIENCE: Final = 0.8
_RECONNECT: Final = 0.5
_LISTEN: Final = 5.0

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


class ControlListener:
    """A worker's ear: a thread that hears the cancels meant for it and survives every loss of Redis."""

    def __init__(self, settings: Settings, worker_id: Callable[[], str], on_cancel: OnCancel) -> None:
        """`worker_id` is asked for each message, since a worker may have to register anew."""
        self._settings = settings
        self._worker_id = worker_id
        self._on_cancel = on_cancel
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keystroke-control-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the thread ends within a moment."""
        self._closed.set()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT})
        while not self._closed.is_set():
            try:
                self._listen()
            except REDIS_ERRORS:
                # Who publishes announces it; nothing is lost, since each heartbeat brings the requests too.
                self._closed.wait(_RECONNECT)

    def _listen(self) -> None:
        client = redis_client(self._settings, timeout=_LISTEN)
        with client, client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(_channel(self._settings))
            last_ping = time.monotonic()
            while not self._closed.is_set():
                message = channel.get_message(timeout=1.0)
                if message is not None:
                    self._hear(message)
                if time.monotonic() - last_ping > _LISTEN:
                    channel.ping()
                    last_ping = time.monotonic()

    def _hear(self, message: dict[str, object]) -> None:
        data = message.get("data")
        if message.get("type") != "message" or not isinstance(data, bytes):
            return
        request = json.loads(data)
        if request["worker"] == self._worker_id():
            self._on_cancel(request["run"], request["attempt"])
