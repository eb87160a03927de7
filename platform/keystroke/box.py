"""The box that keeps secrets: encrypts with KEYSTROKE_SECRET_KEY, names the key in front, reads with older keys too.

A token is `<key id>:<Fernet token>`; the key id is the first eight hexadecimal digits of the derived key's SHA-256.
Rotation: put the new key first, keep the old ones behind it (comma separated) while anything is encrypted with them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keystroke.errors import SecretUnreadable

#: What the keys that are derived from a secret are for.
_ENCRYPTION: Final = b"keystroke box v1"
_HOOKS: Final = b"keystroke hooks v1"
_TOKEN_BYTES: Final = 20


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
        self._hook_keys = {
            _key_id(key): _derive(secret, _HOOKS) for key, secret in zip(derived, secret_keys, strict=True)
        }

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

    def hook_token(self, run_id: str, step: str, key_id: str | None = None) -> str:
        """The token of a hook's link, the same at every replay: `hkt_` and 160 bits of an HMAC-SHA256 in base 32.

        `key_id` names the key that it was made with, by default the current one; SecretUnreadable where that is not here.
        """
        key = self._hook_keys.get(key_id or self.key_id)
        if key is None:
            raise SecretUnreadable(key_id=key_id)
        whole = hmac.new(key, f"{run_id}\x00{step}".encode(), hashlib.sha256).digest()
        return "hkt_" + base64.b32encode(whole[:_TOKEN_BYTES]).decode().lower()


def _derive(secret: str, purpose: bytes = _ENCRYPTION) -> bytes:
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())
    return base64.urlsafe_b64encode(key)


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]
