"""A thread that hears what is said on a Redis channel, and survives every loss of Redis."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from keystroke.broker.redis_client import REDIS_ERRORS, redis_client
from keystroke.settings import Settings

_RECONNECT: Final = 0.5
_LISTEN: Final = 5.0


class ChannelListener:
    """What is said while nobody listens is lost: a message is a hint, and whoever needs it has a slower way."""

    def __init__(self, settings: Settings, channel: str, hear: Callable[[bytes], None]) -> None:
        """`hear` is called by the thread with each message of the channel, or of all that `channel` with a `*` stands for."""
        self._settings = settings
        self._name = channel
        self._hear = hear
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keystroke-listener", daemon=True)

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
                # Who publishes announces it.
                self._closed.wait(_RECONNECT)

    def _listen(self) -> None:
        client = redis_client(self._settings, timeout=_LISTEN)
        with client, client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            subscribe = channel.psubscribe if "*" in self._name else channel.subscribe
            subscribe(self._name)
            last_ping = time.monotonic()
            while not self._closed.is_set():
                message = channel.get_message(timeout=1.0)
                if message is not None and message.get("type") in ("message", "pmessage"):
                    self._hear(message["data"])
                if time.monotonic() - last_ping > _LISTEN:
                    channel.ping()
                    last_ping = time.monotonic()
