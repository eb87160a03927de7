"""The options of a trigger in words, as its page tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from keystroke_api.ui.trigger_rows import seconds_text

Facts = list[tuple[str, str]]
_CATCH_UP: Final = {
    "last": "one run for the newest time that was missed", "all": "a run for each time that was missed",
    "none": "no run for times that were missed",
}  # fmt: skip
_OVERLAP: Final = {
    "allow": "runs may go on side by side", "skip": "not while one goes on", "queue_one": "one may wait for the one that goes on",
    "cancel_running": "cancels the one that goes on",
}  # fmt: skip


def _rate(value: Any) -> str:
    return f"{value['limit']} per {seconds_text(value['per'])}" if isinstance(value, Mapping) else str(value)


def _match(value: Any) -> str:
    pairs = value.items() if isinstance(value, Mapping) else []
    return ", ".join(f"{name} is {' or '.join(map(str, allowed))}" for name, allowed in pairs)


def _answer(value: Any) -> str:
    return (
        f"{value.get('status', 200)} {value.get('content_type', '')}".strip()
        if isinstance(value, Mapping)
        else str(value)
    )


_WORDS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "cron": ("Expression", str),
    "every": ("Every", seconds_text),
    "timezone": ("Time zone", str),
    "starts_at": ("Not before", str),
    "ends_at": ("Not after", str),
    "jitter": ("Spread over", seconds_text),
    "catch_up": ("After downtime", lambda value: _CATCH_UP.get(value, str(value))),
    "overlap": ("Overlap", lambda value: _OVERLAP.get(value, str(value))),
    "pause_after": ("Pauses itself after", lambda value: f"{value} failures in a row"),
    "max_lateness": ("Latest", lambda value: f"{seconds_text(value)} after its time"),
    "expected_within": ("A success expected within", seconds_text),
    "timeout": ("Timeout of a tick", seconds_text),
    "queue": ("Queue", str),
    "group": ("Group", str),
    "unhealthy_after": ("Unhealthy after", lambda value: f"{value} failures in a row"),
    "dedupe_for": ("Remembers items for", seconds_text),
    "match": ("Takes those where", _match),
    "dedupe": ("Duplicates told by", str),
    "challenge": ("Answers the handshake of", lambda value: str(value).capitalize()),
    "rate_limit": ("At most", _rate),
    "respond": ("Answers with", _answer),
    "payload": ("Payload", lambda value: json.dumps(value, ensure_ascii=False)),
}


def facts_of(options: Mapping[str, Any], source: str) -> Facts:
    """The options that are set, in a fixed order, and where the definition stands."""
    facts = [
        (label, words(options[name]))
        for name, (label, words) in _WORDS.items()
        if options.get(name) not in (None, "", 0, {}, [])
    ]
    return [*facts, *([("Source", source)] if source else [])]
