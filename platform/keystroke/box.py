"""The box that keeps secrets: encrypts with KEYSTROKE_SECRET_KEY, names the key in front, reads with older keys too.

A token is `<key id>:<Fernet token>`; the key id is the first eight hexadecimal digits of the derived key's SHA-256.
Rotation: put the new key first, keep the old ones behind it (comma separated) while anything is encrypted with them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keystroke.errors import SecretUnreadable


class Box:
    """Encrypts with the first of its keys and decrypts with whichever a token names."""

    def __init__(self, secret_keys: tuple[str, ...]) -> None:
        """Derive a Fernet key from each secret (HKDF-SHA256); at least one is needed."""
        if not secret_keys:
            raise ValueError("a box needs at least one secret key")
        derived = [_derive(secret) for secret in secret_keys]
        self._fernets = {_key_id(key): Fernet(key) for key in derived}
        self.key_id = _key_id(derived[0])
        self._signing_key = derived[0]

    def encrypt(self, text: str) -> str:
        """The token of a text, under the current key."""
        return f"{self.key_id}:{self._fernets[self.key_id].encrypt(text.encode()).decode()}"

    def decrypt(self, token: str) -> str:
        """The text of a token; SecretUnreadable where its key is not here or the token was tampered with."""
        key_id, _, body = token.partition(":")
        try:
            return self._fernets[key_id].decrypt(body.encode()).decode()
        except (KeyError, InvalidToken) as error:
            raise SecretUnreadable(key_id=key_id) from error

    def fingerprint(self, text: str) -> str:
        """A keyed digest (HMAC-SHA256): equal for equal texts, and no help in guessing them."""
        return hmac.new(self._signing_key, text.encode(), hashlib.sha256).hexdigest()


def _derive(secret: str) -> bytes:
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"keystroke box v1").derive(
        secret.encode()
    )
    return base64.urlsafe_b64encode(key)


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]
