"""Verifiers: what an author writes. Each is data, published with its webhook; the API checks by it (`keystroke.verify.check`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from keystroke.verify.reference import SecretReference

Encoding = Literal["hex", "base64"]
Algorithm = Literal["sha1", "sha256", "sha512"]
ENCODINGS: Final[tuple[Encoding, ...]] = ("hex", "base64")
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("sha1", "sha256", "sha512")
#: RFC 9110, 5.6.2: what the name of a header is made of.
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\Z")
_QUERY: Final = re.compile(r"[\x21-\x7e]{1,100}\Z")


@dataclass(frozen=True, slots=True)
class Verifier:
    """How a webhook knows its sender. Made by the words below, which refuse with ValueError what makes no sense."""

    scheme: str
    secret: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a secret that is written instead of named."""
        if self.secret is not None:
            SecretReference.parse(self.secret)

    def as_json(self) -> dict[str, Any]:
        """As it is published: `{scheme, secret, …}`; the secret is its reference, and absent where there is none."""
        secret = {} if self.secret is None else {"secret": self.secret}
        return {"scheme": self.scheme, **secret, **self.options}


def standard_webhooks(secret: str) -> Verifier:
    """Signed as Standard Webhooks has it: `webhook-id`, `webhook-timestamp` and `webhook-signature`, in v1 or v1a.

    The secret is `whsec_…` (v1, HMAC) or the sender's public key `whpk_…` (v1a, ed25519).
    """
    return Verifier("standard_webhooks", _named(secret))


def github(secret: str) -> Verifier:
    """Signed by GitHub: `X-Hub-Signature-256`; the secret is the one given when the webhook was added there."""
    return Verifier("github", _named(secret))


def stripe(secret: str) -> Verifier:
    """Signed by Stripe: `Stripe-Signature`; the secret is the endpoint's signing secret, with its `whsec_`."""
    return Verifier("stripe", _named(secret))


def slack(secret: str) -> Verifier:
    """Signed by Slack: `X-Slack-Signature`; the secret is the app's signing secret."""
    return Verifier("slack", _named(secret))


def hmac_sha256(
    secret: str, *, header: str, prefix: str = "", encoding: Encoding = "hex", algorithm: Algorithm = "sha256"
) -> Verifier:
    """Signed by an HMAC of the body in a header, behind a prefix such as `sha256=`; another hash by `algorithm`.

    Nothing in it says when it was signed, so what was caught on the way can be sent again: name a `dedupe` where that matters.
    """
    _check_header(header)
    if not isinstance(prefix, str):
        raise ValueError(f'prefix is {prefix!r}; write it like "sha256="')
    _one_of("encoding", encoding, ENCODINGS)
    _one_of("algorithm", algorithm, ALGORITHMS)
    options = {"header": header, "prefix": prefix, "encoding": encoding, "algorithm": algorithm}
    return Verifier("hmac", _named(secret), options)


def token(secret: str, *, header: str | None = None, query: str | None = None) -> Verifier:
    """A token that the sender knows: `Authorization: Bearer …` by default, or as it is in a header or a query parameter."""
    if header is not None and query is not None:
        raise ValueError("the token comes in a header or in the query: give one of the two")
    if query is None:
        header = "Authorization" if header is None else header
        _check_header(header)
        return Verifier("token", _named(secret), {"header": header})
    if not _QUERY.match(query):
        raise ValueError(f'query is {query!r}; write it like "token"')
    return Verifier("token", _named(secret), {"query": query})


def open_endpoint() -> Verifier:
    """Whoever knows the address may post: nothing is checked."""
    return Verifier("open")


def _named(secret: object) -> str:
    return str(SecretReference.parse(secret))


def _check_header(header: object) -> None:
    if not isinstance(header, str) or not _HEADER.match(header):
        raise ValueError(f'header is {header!r}; write it like "X-Signature"')


def _one_of(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ValueError(f"{name} is {value!r}; it is one of {', '.join(words)}")
