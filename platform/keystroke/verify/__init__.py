"""Who may post to a webhook: the words for authors, and the check that the API makes (`keystroke.verify.check`)."""

from __future__ import annotations

from keystroke.verify.verifier import (
    Verifier,
    github,
    hmac_sha256,
    open_endpoint,
    slack,
    standard_webhooks,
    stripe,
    token,
)

__all__ = [
    "Verifier", "github", "hmac_sha256", "open_endpoint", "slack", "standard_webhooks", "stripe", "token",
]  # fmt: skip
