"""The one canonical form of a value: sets sorted, NaN and infinities refused, secrets revealed.

Pydantic's JSON mode hides secrets and leaves sets in the order of their hashes, so a value is dumped twice, in Python mode
and in JSON mode, and both trees are walked side by side. Where a serializer of the author gives them different shapes,
the JSON tree alone is walked on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Secret, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from keystroke.domain.payload import Json
from keystroke.domain.secrets import SEALED, is_sealed

_UNPAIRED: Final = object()
_SETS: Final = (set, frozenset)
_NESTING: Final = (tuple, frozenset, SecretStr, SecretBytes, Secret)


class NotCanonical(ValueError):
    """The value has no canonical form; the message says which part of it, and why."""


@dataclass(frozen=True, slots=True)
class Revealed:
    """The text of a secret, in its place in the tree."""

    text: str


def reveal(value: Any, dumped: Json, path: str = "$") -> Any:
    """The JSON tree of a value in canonical form, with Revealed where secrets are.

    `value` is the dump in Python mode, `dumped` the one in JSON mode.
    """
    if isinstance(value, SecretStr | SecretBytes | Secret):
        return Revealed(_secret_text(value, path))
    if isinstance(value, float) and not math.isfinite(value):
        raise NotCanonical(f"{_spot(path)} is {value}, which JSON does not have")
    if isinstance(dumped, dict):
        return _reveal_object(value, dumped, path)
    if isinstance(dumped, list):
        return _reveal_list(value, dumped, path)
    if isinstance(dumped, float) and not math.isfinite(dumped):
        raise NotCanonical(f"{_spot(path)} is {dumped}, which JSON does not have")
    return dumped


def settle(tree: Any, secret: Callable[[str], Json]) -> Json:
    """The tree with each secret's text replaced by what `secret` makes of it."""
    if isinstance(tree, Revealed):
        return secret(tree.text)
    if isinstance(tree, dict):
        return {key: settle(item, secret) for key, item in tree.items()}
    return [settle(item, secret) for item in tree] if isinstance(tree, list) else tree


def _spot(path: str) -> str:
    return "it" if path == "$" else path


def _secret_text(value: Any, path: str) -> str:
    secret = value.get_secret_value()
    text = secret if isinstance(secret, str) else to_jsonable_python(secret)
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise NotCanonical(
            f"{path} is a secret {type(secret).__name__}; only text and whole numbers can be sealed"
        )
    return str(text)


def _reveal_object(value: Any, dumped: dict[str, Json], path: str) -> dict[str, Any]:
    if is_sealed(dumped):
        raise NotCanonical(f"{path} has {SEALED} as its only key, which is reserved")
    if isinstance(value, Mapping):
        _refuse_collisions(value, dumped, path)
    if isinstance(value, Mapping) and len(value) == len(dumped):
        pairs = zip(value.values(), dumped.items(), strict=True)
        return {key: reveal(part, item, f"{path}.{key}") for part, (key, item) in pairs}
    return {key: reveal(_UNPAIRED, item, f"{path}.{key}") for key, item in dumped.items()}


def _refuse_collisions(value: Mapping[Any, Any], dumped: dict[str, Json], path: str) -> None:
    if len(dumped) < len(value) and len({str(key) for key in value}) < len(value):
        raise NotCanonical(f"{path} has keys that are the same as text")


def _reveal_list(value: Any, dumped: list[Json], path: str) -> list[Any]:
    if isinstance(value, _SETS):
        return sorted(_reveal_members(value, dumped, path), key=_sort_key)
    paired = (
        isinstance(value, Collection) and not isinstance(value, str | bytes) and len(value) == len(dumped)
    )
    parts = value if paired else [_UNPAIRED] * len(dumped)
    return [
        reveal(part, item, f"{path}[{at}]") for at, (part, item) in enumerate(zip(parts, dumped, strict=True))
    ]


def _reveal_members(value: Collection[Any], dumped: list[Json], path: str) -> list[Any]:
    # The two dumps of one set may be in different orders, so members are paired only with their own dump.
    if any(isinstance(member, _NESTING) for member in value):
        return [reveal(member, to_jsonable_python(member), f"{path}[*]") for member in value]
    return [reveal(_UNPAIRED, item, f"{path}[*]") for item in dumped]


def _sort_key(tree: Any) -> str:
    return json.dumps(tree, sort_keys=True, ensure_ascii=False, default=lambda revealed: revealed.text)
