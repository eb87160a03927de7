"""Secrets inside payloads: sealed when recorded, opened for the code that declared them, never displayed.

A sealed value stands in the payload as `{"$sealed": "<key id>:<token>"}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

SEALED: Final = "$sealed"
REDACTED: Final = "[redacted]"


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
    """The payload as it may be displayed: sealed values, and values under the given keys (lower case), are hidden."""
    if is_sealed(value):
        return REDACTED
    if isinstance(value, dict):
        return {
            key: REDACTED if key.lower() in keys and item is not None else redact(item, keys)
            for key, item in value.items()
        }
    return [redact(item, keys) for item in value] if isinstance(value, list) else value
