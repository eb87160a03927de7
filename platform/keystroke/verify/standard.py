"""Standard Webhooks 1.0.0, as its specification has it: v1 is HMAC-SHA256, v1a is ed25519; a header may hold several of both.

The signed content is `{id}.{timestamp}.{body}`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Final

from keystroke.errors import Unverified
from keystroke.verify.delivered import MOST_SIGNATURES, Delivered, digest, equal, raw

_SYMMETRIC: Final = "whsec_"
_PUBLIC: Final = "whpk_"
_ED25519_BYTES: Final = 32


def check(delivered: Delivered) -> None:
    """Raise Unverified unless one of the signatures was made with one of the secrets."""
    message_id = delivered.header("webhook-id")
    timestamp = delivered.signed_at(delivered.header("webhook-timestamp"))
    given = delivered.header("webhook-signature").split()[:MOST_SIGNATURES]
    content = b".".join((raw(message_id), raw(timestamp), delivered.body))
    by_hmac = _matches_hmac(_of_version(given, "v1"), delivered.keys, content)
    by_ed25519 = _matches_ed25519(_of_version(given, "v1a"), delivered.keys, content)
    if not (by_hmac or by_ed25519):
        problems = [problem for key in delivered.keys if (problem := key_problem(key))]
        raise Unverified(why=problems[0] if problems else "no signature is one of ours")


def key_problem(key: str) -> str | None:
    """Why a secret is none of Standard Webhooks, in words that do not repeat it; None: it is one."""
    decoded = _decoded(key.removeprefix(_PUBLIC).removeprefix(_SYMMETRIC))
    if not decoded:
        return "the secret is not written as whsec_ or whpk_ and base 64"
    if key.startswith(_PUBLIC) and len(decoded) != _ED25519_BYTES:
        return (
            f"the secret begins with whpk_ and is no public key of ed25519, which has {_ED25519_BYTES} bytes"
        )
    return None


def _of_version(given: Iterable[str], version: str) -> list[str]:
    return [text for name, _, text in (each.partition(",") for each in given) if name == version]


def _matches_hmac(signatures: Sequence[str], keys: Sequence[str], content: bytes) -> bool:
    decoded = (_decoded(key.removeprefix(_SYMMETRIC)) for key in keys if not key.startswith(_PUBLIC))
    expected = [base64.b64encode(digest(key, content)).decode() for key in decoded if key]
    return any(equal(one, other) for one in signatures for other in expected)


def _matches_ed25519(signatures: Sequence[str], keys: Sequence[str], content: bytes) -> bool:
    decoded = [_decoded(key.removeprefix(_PUBLIC)) for key in keys if key.startswith(_PUBLIC)]
    public = [key for key in decoded if len(key) == _ED25519_BYTES]
    given = [signature for text in signatures if (signature := _canonical(text))]
    return any(_made_by(key, signature, content) for key in public for signature in given)


def _made_by(public_key: bytes, signature: bytes, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _decoded(key: str) -> bytes:
    """The bytes of a secret, which may lack the padding of its base 64; none where it is no base 64."""
    try:
        return base64.b64decode(raw(key) + b"=" * (-len(key) % 4), validate=True)
    except ValueError:
        return b""


def _canonical(text: str) -> bytes:
    """The bytes of a signature; none where it is not base 64 as that is made: no signature has two spellings."""
    try:
        decoded = base64.b64decode(raw(text), validate=True)
    except ValueError:
        return b""
    return decoded if base64.b64encode(decoded) == raw(text) else b""
