"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as the API sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (status, step, progress, log, end), its JSON data, and where to resume behind it."""

    name: str
    data: dict[str, Any]
    position: str | None


def parse_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream's lines; comments and hints for browsers are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "event" in fields:
            yield Event(fields["event"], json.loads(fields.get("data", "{}")), fields.get("id"))
        fields = {}
