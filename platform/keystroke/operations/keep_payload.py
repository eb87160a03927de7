"""What came from outside, as it may be kept: its secrets encrypted, and without what only the platform may write.

Nothing is refused here, since an event that was accepted is not lost. Where no secret key is set a secret is not kept, and
what asks for it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from keystroke.box import Box
from keystroke.domain.payload import encode_payload
from keystroke.domain.secrets import SEALED, is_sealed, sealed
from keystroke.operations.check_input import seal_by_schema

#: In the place of a secret that could not be encrypted; no key opens it.
_NOT_KEPT: Final = "not-kept:"


def without_reserved(value: Any) -> Any:
    """The payload with every object that looks like an encrypted value as its JSON text: nobody but the platform writes those."""
    if isinstance(value, dict):
        if SEALED in value:
            return encode_payload(value, what="payload")
        return {key: without_reserved(item) for key, item in value.items()}
    return [without_reserved(item) for item in value] if isinstance(value, list) else value


def seal_named(schema: dict[str, Any] | None, value: Any, box: Box | None) -> Any:
    """The payload with the secrets sealed that the schema names; it fits the schema."""
    if schema is None or "writeOnly" not in str(schema):
        return value
    return seal_by_schema(schema, schema, value, _encrypt(box))


def seal_texts(schema: dict[str, Any], value: Any, box: Box | None) -> Any:
    """A payload that does not fit the schema: where that names a secret, any text in it may be one."""
    return _sealed_texts(value, _encrypt(box)) if "writeOnly" in str(schema) else value


def _sealed_texts(value: Any, encrypt: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return sealed(encrypt(value))
    if isinstance(value, dict) and not is_sealed(value):
        return {key: _sealed_texts(item, encrypt) for key, item in value.items()}
    return [_sealed_texts(item, encrypt) for item in value] if isinstance(value, list) else value


def _encrypt(box: Box | None) -> Callable[[str], str]:
    return (lambda _text: _NOT_KEPT) if box is None else box.encrypt
