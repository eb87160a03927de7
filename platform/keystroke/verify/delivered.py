"""What a check looks at: a delivery as it came, and how its parts are compared."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keystroke.errors import Unverified

#: Seconds by which the time that was signed may differ from ours, either way.
TOLERANCE: Final = 300
#: Signatures of one delivery that are looked at; senders have one for each secret that is live.
MOST_SIGNATURES: Final = 16
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}\Z")
_HASHES: Final[Mapping[str, Callable[..., Any]]] = {
    "sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery: headers by lower-case name, the body as it came, our time in seconds, and the live secrets."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    keys: Sequence[str]
    now: float

    def header(self, name: str) -> str:
        """A header that must be there."""
        value = self.headers.get(name.lower())
        if not value:
            raise Unverified(why=f"the header {name} is missing")
        return value

    def parameter(self, name: str) -> str:
        """A parameter of the query that must be there."""
        value = self.query.get(name)
        if not value:
            raise Unverified(why=f"the query parameter {name} is missing")
        return value

    def signed_at(self, text: str) -> str:
        """The time that was signed, as it was written, if it is within the tolerance of ours."""
        if not _TIMESTAMP.match(text):
            raise Unverified(why="its timestamp is no number of seconds")
        if abs(self.now - int(text)) > TOLERANCE:
            raise Unverified(why=f"its timestamp is more than {TOLERANCE // 60} minutes away from now")
        return text

    def expect_one(self, given: Sequence[str], expected: Sequence[str], *, of: str = "signature") -> None:
        """One of the given signatures (or tokens: `of`) must be one of those expected; how long it takes tells nothing."""
        checked = [equal(one, other) for one in given[:MOST_SIGNATURES] for other in expected]
        if not any(checked):
            raise Unverified(why=f"no {of} is one of ours")


def equal(one: str, other: str) -> bool:
    """Whether two texts are the same, in constant time; headers may hold anything, so bytes are compared."""
    return hmac.compare_digest(raw(one), raw(other))


def raw(text: str) -> bytes:
    """The bytes of a text, of whatever characters."""
    return text.encode("utf-8", "surrogatepass")


def digest(key: bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    """The HMAC (RFC 2104) of a content."""
    return hmac.new(key, content, _HASHES[algorithm]).digest()
