"""What travels with a request to the event loop and back: who asks, and the surroundings of the thread that serves him."""

from __future__ import annotations

from contextvars import Context
from dataclasses import dataclass

from keystroke.operations.api_keys import Principal

#: Its place in the WSGI environment.
EXCHANGE = "keystroke.exchange"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request: its caller, the trace that its headers name (W3C `traceparent`), the context variables of its thread.

    With those the tools' own threads have the app, the request and the ids in the log that every other route has.
    """

    caller: Principal
    traceparent: str | None
    context: Context
