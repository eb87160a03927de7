"""Random values that are the same when a run is executed again: derived from its seed, the branch and the occurrence."""

from __future__ import annotations

import hashlib
from uuid import UUID


def random_number(seed: str, place: str) -> float:
    """A number in [0, 1), with the 53 bits that a float holds."""
    return (int.from_bytes(_bytes(seed, place)[:8]) >> 11) * 2**-53


def random_uuid(seed: str, place: str) -> UUID:
    """A UUID of version 4."""
    return UUID(bytes=_bytes(seed, place)[:16], version=4)


def _bytes(seed: str, place: str) -> bytes:
    return hashlib.sha256(f"{seed}\x00{place}".encode()).digest()
