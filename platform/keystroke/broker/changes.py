"""Changes of runs, told to whoever follows them: a hint to look now rather than with the next regular look.

One channel per project, and nothing in the message: what has changed, the database says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from keystroke.broker.listening import ChannelListener
from keystroke.broker.publisher import Publisher
from keystroke.broker.redis_client import redis_client
from keystroke.settings import Settings

_PATIENCE: Final = 0.5
#: Seconds between two messages of a process: what changes meanwhile is told by the second.
_SPACING: Final = 0.1


def _channel(settings: Settings, project_id: str) -> str:
    return f"{settings.key_prefix}:changes:{project_id}"


class ChangeNotices:
    """Tells that something has changed; never raises, never makes its caller wait."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily, in the background thread."""
        self._settings = settings
        self._client = redis_client(settings, timeout=_PATIENCE)
        self._publisher = Publisher("keystroke-changes")

    def tell(self, project_id: str) -> None:
        """Runs of this project have changed: to be called after the commit, as often as one likes."""
        self._publisher.hand_over(project_id, lambda: self._publish(project_id))

    def close(self) -> None:
        """Send what waits, for a second at most."""
        self._publisher.close()

    def _publish(self, project_id: str) -> None:
        self._client.publish(_channel(self._settings, project_id), b"")
        # In the background thread, where all that is handed over in the meantime becomes one message.
        time.sleep(_SPACING)


class ChangeListener(ChannelListener):
    """Hears that runs of some project have changed."""

    def __init__(self, settings: Settings, on_change: Callable[[], None]) -> None:
        """`on_change` is called by the listener's thread."""
        super().__init__(settings, _channel(settings, "*"), lambda _: on_change())
