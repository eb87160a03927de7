"""An outage is announced twice, at its beginning and at its end, however often it is noticed in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from keystroke.telemetry.announce import announce
from keystroke.telemetry.event import Event
from keystroke.telemetry.events import BrokerAway, BrokerBack, DatabaseAway, DatabaseBack


class Outage:
    """Remembers since when something has been away. For one thread, or for several that do not mind a second line."""

    def __init__(self, away: Callable[[str], Event], back: Callable[[float], Event]) -> None:
        """`away` makes the event from why, `back` from the seconds that it took."""
        self._away = away
        self._back = back
        self._since: float | None = None

    @classmethod
    def of_database(cls) -> Self:
        """The database's outage."""
        return cls(lambda why: DatabaseAway(why=why), lambda seconds: DatabaseBack(away_seconds=seconds))

    @classmethod
    def of_broker(cls) -> Self:
        """The broker's outage."""
        return cls(lambda why: BrokerAway(why=why), lambda seconds: BrokerBack(away_seconds=seconds))

    def failed(self, error: BaseException) -> None:
        """It did not answer."""
        if self._since is None:
            self._since = time.monotonic()
            announce(self._away(str(error)))

    def answered(self) -> None:
        """It did."""
        if self._since is not None:
            announce(self._back(round(time.monotonic() - self._since, 1)))
            self._since = None
