"""Identifiers: TypeIDs (https://github.com/jetify-com/typeid), a prefix and a UUIDv7 in Crockford's base 32.

They sort by the time of their creation, so the newest rows of a table lie together in its indexes.
"""

from __future__ import annotations

import re
from typing import Final

import uuid_utils

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_SUFFIX_LENGTH: Final = 26
#: What a whole run id, or the beginning of one, looks like.
RUN_ID_PREFIX: Final = re.compile(rf"run_[{_ALPHABET}]{{0,{_SUFFIX_LENGTH}}}\Z")


def encode(value: int) -> str:
    """The 128-bit integer as 26 characters, most significant first."""
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def new(prefix: str) -> str:
    """A new id, for example `run_01jd3v5w0gf8tbm5zbbdb40jyq`."""
    return f"{prefix}_{encode(uuid_utils.uuid7().int)}"


def new_run_id() -> str:
    """A new run's id."""
    return new("run")
