"""A delivery: what was posted to an endpoint, and what became of it. Its record tells everything but the sender's secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from keystroke.clock import rfc3339
from keystroke.domain.post import Post
from keystroke.domain.secrets import REDACTED, redact, redact_tokens
from keystroke.domain.source import Outcome
from keystroke.domain.strict_json import parse_strictly
from keystroke.errors import NotJson

DELIVERY: Final = "dlv"
#: Headers whose value is a credential or proves one, by a part of their name.
_PRIVATE: Final = ("authorization", "cookie", "token", "secret", "signature", "password", "api-key", "apikey")
_LONGEST_HEADER: Final = 4_096
_MOST_HEADERS: Final = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery on record.

    `status` is the HTTP status that was answered, `trigger` the slug of the source that took it (of several the first),
    `triggers` all that matched, else all that were considered. `error` is `{code, detail, errors: [{path, message}]}`.
    """

    id: str
    project_id: str
    project: str
    endpoint: str
    trigger_id: str | None
    trigger: str | None
    triggers: tuple[str, ...]
    received_at: datetime
    method: str
    content_type: str | None
    remote_addr: str | None
    headers: Mapping[str, str]
    query: Mapping[str, str]
    size: int
    outcome: Outcome
    status: int
    error: Any
    run_ids: tuple[str, ...]
    dedupe_key: str | None
    duplicate_of: str | None
    replay_of: str | None

    def as_json(self) -> dict[str, Any]:
        """As lists show it: without headers, query and body."""
        shown: dict[str, Any] = redact_tokens({
            "id": self.id, "project": self.project, "endpoint": self.endpoint, "trigger": self.trigger,
            "triggers": list(self.triggers), "received_at": rfc3339(self.received_at), "method": self.method,
            "content_type": self.content_type, "remote_addr": self.remote_addr, "size": self.size, "outcome": self.outcome,
            "status": self.status, "error": self.error, "run_ids": list(self.run_ids), "dedupe_key": self.dedupe_key,
            "duplicate_of": self.duplicate_of, "replay_of": self.replay_of,
        })  # fmt: skip
        return shown

    def whole_json(self, body: bytes | None, hidden: frozenset[str]) -> dict[str, Any]:
        """The whole record with its body, which is None where it was not kept or may not be seen."""
        return self.as_json() | {
            "headers": redact(dict(self.headers), hidden),
            "query": redact(dict(self.query), hidden),
            "body": None if body is None else body_json(body, self.content_type, hidden),
        }


def body_json(body: bytes, content_type: str | None, hidden: frozenset[str]) -> dict[str, Any]:
    """`{encoding, value}`: `json` and `form` as values, redacted; other text as `text`, anything else as `base64`."""
    text = _text(body)
    if text is None:
        return {"encoding": "base64", "value": base64.b64encode(body).decode()}
    if Post("POST", {"content-type": content_type or ""}, {}, b"").is_form:
        try:
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1_000))
        except ValueError:
            return {"encoding": "text", "value": redact_tokens(text)}
        return {"encoding": "form", "value": redact(fields, hidden)}
    try:
        return {"encoding": "json", "value": redact(parse_strictly(body), hidden)}
    except (ValueError, NotJson):
        return {"encoding": "text", "value": redact_tokens(text)}


def kept_headers(headers: Mapping[str, str], private: frozenset[str]) -> dict[str, str]:
    """The headers as they are kept: without the values that are secret or prove a secret, `private` ones among them."""
    kept = sorted(headers.items())[:_MOST_HEADERS]
    return {
        name: REDACTED if name in private or _is_private(name) else value[:_LONGEST_HEADER]
        for name, value in kept
    }


def kept_query(query: Mapping[str, str], private: frozenset[str], hidden: frozenset[str]) -> dict[str, str]:
    """The query as it is kept: without tokens."""
    return {
        name: REDACTED if name in private or name.lower() in hidden or _is_private(name.lower()) else value
        for name, value in query.items()
    }


def _is_private(name: str) -> bool:
    return any(part in name for part in _PRIVATE)


def _text(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text
