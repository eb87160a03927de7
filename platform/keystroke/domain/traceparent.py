"""W3C Trace Context (https://www.w3.org/TR/trace-context/): the header by which a caller's trace goes on in ours."""

from __future__ import annotations

import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\Z")


def parse_traceparent(header: str | None) -> tuple[str | None, str | None]:
    """Trace id and parent span id; both None for a header that is absent or malformed, as the standard asks."""
    match = _TRACEPARENT.match(header.strip()) if header else None
    if match is None or not match[1].strip("0") or not match[2].strip("0"):
        return None, None
    return match[1], match[2]


def traceparent(trace_id: str, span_id: str) -> str:
    """The header that makes a span of ours the parent of what comes."""
    return f"00-{trace_id}-{span_id}-01"
