"""Payloads (input, output, step results): their canonical JSON text, their digest, their bounds."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from keystroke.errors import NotJson, PayloadTooLarge

Json = Any
#: Deeper nesting is refused: it serves nobody, and recursive readers of it would fail.
DEEPEST: Final = 200
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=True
)


def encode_payload(value: Json, *, what: str, limit: int | None = None) -> str:
    """The canonical text of a JSON value: keys sorted, no spaces, no NaN or infinities.

    `what` names the payload in errors ("input", "output of charge"). Raises NotJson and, beyond `limit` bytes of UTF-8,
    PayloadTooLarge.
    """
    try:
        text = _ENCODER.encode(value)
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise NotJson(what=what, why="it holds a lone surrogate, which is no text") from error
    except (TypeError, ValueError) as error:
        raise NotJson(what=what, why=str(error)) from error
    except RecursionError as error:
        raise NotJson(what=what, why="it is nested too deeply") from error
    if limit is not None and size > limit:
        raise PayloadTooLarge(what=what, size=size, limit=limit)
    return text


def decode_payload(text: str | None) -> Json:
    """The JSON value of a recorded text; None for what was not recorded."""
    return None if text is None else json.loads(text)


def digest(text: str) -> str:
    """SHA-256 of a canonical text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def check_depth(value: Json, *, what: str, deepest: int = DEEPEST) -> None:
    """Raise NotJson where lists and objects are nested deeper than `deepest`; itself it does not recurse."""
    level: list[Json] = [value]
    for _ in range(deepest + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise NotJson(what=what, why=f"it is nested more than {deepest} levels deep")


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
