"""Server-sent events as a reader gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from support.api import Api


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    name: str
    position: str
    data: Any


def events(api: Api, path: str, **headers: str) -> Iterator[Event]:
    """The events of a stream as they come; closing the iterator ends the stream."""
    answer = api.get(path, headers=headers)
    assert answer.mimetype == "text/event-stream"
    with answer:
        for chunk in answer.response:
            lines = dict(
                line.split(": ", 1) for line in chunk.decode().strip().splitlines() if line[0] != ":"
            )
            if "event" in lines:
                yield Event(lines["event"], lines.get("id", ""), json.loads(lines["data"]))
