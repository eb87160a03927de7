"""Which errors of a server pass by themselves, and waiting for something while it may be away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from keystroke.errors import RequestRefused, ServerUnreachable

#: A server that restarts is back within this time (seconds); runs go on meanwhile.
PATIENCE: Final = 60.0
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5

Answer = dict[str, Any]


def passes_by_itself(error: ServerUnreachable | RequestRefused) -> bool:
    """Whether asking again may help: nobody there, or a server that says so (503, 429)."""
    return isinstance(error, ServerUnreachable) or error.status in (429, 502, 503, 504)


def wait_until(look: Callable[[], Answer], is_over: Callable[[Answer], bool]) -> Answer:
    """What `look` gives once it is over; a server that is away for a while is waited for."""
    pause, answered = _FIRST_PAUSE, time.monotonic()
    while True:
        try:
            found = look()
        except (ServerUnreachable, RequestRefused) as error:
            if not passes_by_itself(error) or time.monotonic() - answered > PATIENCE:
                raise
        else:
            answered = time.monotonic()
            if is_over(found):
                return found
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)
