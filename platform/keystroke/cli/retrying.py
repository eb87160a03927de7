"""Which errors of a server pass by themselves, and how long a command waits for that."""

from __future__ import annotations

from typing import Final

from keystroke.errors import RequestRefused, ServerUnreachable

#: A server that restarts is back within this time (seconds); runs go on meanwhile.
PATIENCE: Final = 60.0


def passes_by_itself(error: ServerUnreachable | RequestRefused) -> bool:
    """Whether asking again may help: nobody there, or a server that says so (503, 429)."""
    return isinstance(error, ServerUnreachable) or error.status in (429, 502, 503, 504)
