"""Whether the broker is there: asked by health checks, never on the way of a start."""

from __future__ import annotations

import redis

from keystroke.broker.redis_client import REDIS_ERRORS, redis_client
from keystroke.settings import Settings

#: A health check that waits longer is a failed one itself.
_PATIENCE = 0.5


class BrokerHealth:
    """Asks Redis for a sign of life. Safe for threads; nothing is connected before the first question."""

    def __init__(self, settings: Settings) -> None:
        """Keep one small pool of connections of its own."""
        self._client: redis.Redis = redis_client(settings, timeout=_PATIENCE)

    def answers(self) -> bool:
        """Whether Redis answers a ping within half a second."""
        try:
            return bool(self._client.ping())
        except REDIS_ERRORS:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
