"""Waking workers: a coalesced Celery message that says "there is work in queue Q".

Whoever sets the wake key publishes; a child deletes it before its first claim, never after, so that a start
committed later always wakes again. The key lives for two seconds, should its message be lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import redis
from celery import Celery
from kombu.connection import Connection

from keystroke.broker.celery_app import WORK, make_app, queue_name
from keystroke.broker.publisher import Publisher
from keystroke.broker.redis_client import REDIS_ERRORS, redis_client
from keystroke.settings import Settings

_KEY_LIFE_MS: Final = 2000
#: A child waits this long at most for the deletion of its wake keys; it holds up its claim.
_PATIENCE: Final = 0.5


class Wakeups:
    """Wakes workers, without ever making its caller wait. One per process; use it again after a fork."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily, in the background thread."""
        self._settings = settings
        self._client = redis_client(settings, timeout=_PATIENCE)
        self._publisher = Publisher("keystroke-wakeups")
        self._celery: Celery | None = None
        self._connection: Connection | None = None
        self._clear_again_at = 0.0

    def wake(self, project_id: str, queue: str) -> None:
        """There is work in this queue: have a worker look, unless one has just been woken."""
        self._publisher.hand_over(f"{project_id}/{queue}", lambda: self._publish(project_id, queue))

    def wake_all(self, queues: Iterable[tuple[str, str]]) -> None:
        """The same for several, each a (project id, queue)."""
        for project_id, queue in queues:
            self.wake(project_id, queue)

    def clear(self, project_id: str, queues: Iterable[str]) -> None:
        """Before a claim: what is committed from now on wakes again. With Redis away the keys expire."""
        if time.monotonic() < self._clear_again_at:
            return
        try:
            self._client.delete(*(self._key(project_id, queue) for queue in queues))
        except REDIS_ERRORS:
            self._clear_again_at = time.monotonic() + _KEY_LIFE_MS / 1000

    def close(self) -> None:
        """Send what waits, for a second at most."""
        self._publisher.close()

    def _key(self, project_id: str, queue: str) -> str:
        return f"{self._settings.key_prefix}:wake:{project_id}:{queue}"

    def _publish(self, project_id: str, queue: str) -> None:
        key = self._key(project_id, queue)
        if not self._client.set(key, 1, nx=True, px=_KEY_LIFE_MS):
            return
        try:
            self._send(queue_name(self._settings, project_id, queue))
        except BaseException:
            self._forget(key)
            raise

    def _send(self, queue: str) -> None:
        """Publish over a connection of our own, thrown away after a failure: a pooled one may stay broken."""
        if self._celery is None:
            self._celery = make_app(self._settings)
        if self._connection is None:
            self._connection = self._celery.connection_for_write()
        try:
            producer = self._celery.amqp.Producer(self._connection, auto_declare=False)
            self._celery.send_task(WORK, queue=queue, producer=producer, retry=False, ignore_result=True)
        except BaseException:
            connection, self._connection = self._connection, None
            connection.collect()
            raise

    def _forget(self, key: str) -> None:
        """Take the key back, since its message was not sent; the failure itself is already on its way up."""
        try:
            self._client.delete(key)
        except redis.RedisError:
            return
