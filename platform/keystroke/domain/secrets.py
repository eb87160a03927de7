"""Secrets inside payloads: sealed when recorded, opened for the code that declared them, never displayed.

A sealed value stands in the payload as `{"$sealed": "<key id>:<token>"}`. The token of a hook is no sealed value: code has to
read it to send it to somebody. It is recognised by its form, and hidden wherever something is shown or captured to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

SEALED: Final = "$sealed"
REDACTED: Final = "[redacted]"
#: What every token of a hook begins with.
HOOK_MARK: Final = "hkt_"
#: Characters of a whole token.
TOKEN_LENGTH: Final = len(HOOK_MARK) + 32
#: The one credential of a hook's link: 160 bits in base 32, in lower case.
HOOK_TOKEN: Final = re.compile(HOOK_MARK + "[a-z2-7]{32}")
_HIDDEN_TOKEN: Final = HOOK_MARK + REDACTED

T = TypeVar("T")


def sealed(token: str) -> dict[str, str]:
    """The place holder of an encrypted value."""
    return {SEALED: token}


def is_sealed(value: Any) -> bool:
    """Whether the value is the place holder of an encrypted one."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(SEALED), str)


def open_sealed(value: Any, decrypt: Callable[[str], str]) -> Any:
    """The payload with every place holder replaced by its decrypted text."""
    if is_sealed(value):
        return decrypt(value[SEALED])
    if isinstance(value, dict):
        return {key: open_sealed(item, decrypt) for key, item in value.items()}
    return [open_sealed(item, decrypt) for item in value] if isinstance(value, list) else value


def redact(value: Any, keys: frozenset[str]) -> Any:
    """The payload as it may be displayed: sealed values, values under the given keys (lower case) and tokens are hidden."""
    if is_sealed(value):
        return REDACTED
    if isinstance(value, dict):
        return {
            redact_tokens(key): REDACTED if key.lower() in keys and item is not None else redact(item, keys)
            for key, item in value.items()
        }
    return [redact(item, keys) for item in value] if isinstance(value, list) else redact_tokens(value)


def redact_tokens(value: T) -> T:
    """The text, or the JSON value with all texts in it, keys too, without the tokens of hooks: `hkt_[redacted]` instead.

    Of a text that is to be cut, hide them first: the beginning of a token is no token any more, and still tells most of it.
    """
    shown: Any = value
    if isinstance(value, str):
        shown = HOOK_TOKEN.sub(_HIDDEN_TOKEN, value) if HOOK_MARK in value else value
    elif isinstance(value, dict):
        shown = {redact_tokens(key): redact_tokens(item) for key, item in value.items()}
    elif isinstance(value, list):
        shown = [redact_tokens(item) for item in value]
    elif isinstance(value, tuple):
        shown = tuple(redact_tokens(item) for item in value)
    return shown  # type: ignore[no-any-return]
