"""Plain Redis connections beside Celery's own: wake keys, the cancel channel."""

from __future__ import annotations

from typing import Final

import redis

from keystroke.settings import Settings

#: What the client raises where Redis is away, refuses or answers nonsense.
REDIS_ERRORS: Final = (redis.RedisError, OSError)
_KOMBU_SOCKET_SCHEME: Final = "redis+socket://"


def redis_client(settings: Settings, *, timeout: float, health_check: int = 5) -> redis.Redis:
    """A client that gives up after `timeout` seconds and never tries again by itself."""
    return redis.Redis.from_url(
        redis_url(settings.broker_url),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        health_check_interval=health_check,
        retry=None,
        retry_on_timeout=False,
    )


def redis_url(broker_url: str) -> str:
    """The broker's URL as redis-py writes it: kombu's `redis+socket:///path` is its `unix:///path`."""
    if broker_url.startswith(_KOMBU_SOCKET_SCHEME):
        return "unix://" + broker_url.removeprefix(_KOMBU_SOCKET_SCHEME).replace("virtual_host=", "db=")
    return broker_url
