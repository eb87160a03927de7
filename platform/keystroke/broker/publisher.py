"""One background thread that talks to Redis, so that no request, commit or tick ever waits for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from kombu.exceptions import OperationalError

from keystroke.broker.redis_client import REDIS_ERRORS
from keystroke.telemetry.outage import Outage

BROKER_ERRORS: Final = (*REDIS_ERRORS, OperationalError)
_PAUSE: Final = 2.0
#: More different messages than this mean that Redis hangs; the oldest are dropped, the sweep finds the runs.
_MOST_WAITING: Final = 10_000


class Publisher:
    """Sends messages in the order they were handed over, each key once; pauses for 2 s after a failure.

    What cannot be sent is dropped: every message is a hint, and its sender has a slower way.
    """

    def __init__(self, name: str) -> None:
        """Start nothing yet: the thread begins with the first message, in whichever process hands it over."""
        self._name = name
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._waiting: dict[str, Callable[[], None]] = {}
        self._wanted = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._outage = Outage.of_broker()
        self._resume_at = 0.0

    def hand_over(self, key: str, send: Callable[[], None]) -> None:
        """Have `send` called in the background; replaces a waiting message of the same key. Never waits."""
        with self._wanted:
            if self._closed:
                return
            if len(self._waiting) >= _MOST_WAITING:
                self._waiting.pop(next(iter(self._waiting)))
            self._waiting[key] = send
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name=self._name, daemon=True)
                self._thread.start()
            self._wanted.notify()

    def close(self, timeout: float = 1.0) -> None:
        """Send what waits, for at most `timeout` seconds, and end."""
        with self._wanted:
            self._closed = True
            thread = self._thread
            self._wanted.notify()
        if thread is not None:
            thread.join(timeout)

    def _send_all(self) -> None:
        # A signal that lands in this thread would not interrupt the main thread's blocking call.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT})
        while (send := self._next()) is not None:
            if time.monotonic() < self._resume_at:
                continue
            try:
                send()
            except BROKER_ERRORS as error:
                self._resume_at = time.monotonic() + _PAUSE
                self._outage.failed(error)
            else:
                self._outage.answered()

    def _next(self) -> Callable[[], None] | None:
        with self._wanted:
            self._wanted.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            return self._waiting.pop(next(iter(self._waiting)))
