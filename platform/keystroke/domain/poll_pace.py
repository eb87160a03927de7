"""How soon a poll looks again after a tick that failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from keystroke.domain.retry import Backoff

_PAUSES: Final = Backoff(first="10s", factor=2.0, longest="15m")
#: A poll that looks more often than this slows down to it while it fails.
_OFTEN: Final = timedelta(minutes=1)


def next_after_failure(failures: int, now: datetime, regular: datetime | None) -> datetime | None:
    """When the next tick comes after so many failing ones in a row, the next `regular` one being at that time.

    After a pause that doubles from ten seconds up to a quarter of an hour, but not later than the poll would look anyway;
    only one that would look within the minute is kept waiting for up to that. None: it looks no more.
    """
    if regular is None:
        return None
    return min(now + _PAUSES.bound(failures), max(regular, now + _OFTEN))
