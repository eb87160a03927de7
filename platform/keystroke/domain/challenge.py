"""Handshakes: how a provider asks an endpoint whether it is meant, before it posts anything there. None is a delivery.

- `slack` (Slack, "url_verification event"): a signed POST of `{"type": "url_verification", "challenge": …}`.
- `meta` (Meta, "Webhooks: Getting started"): a GET with `hub.mode=subscribe`, `hub.challenge` and `hub.verify_token`, which has
  to be a secret that both know: `meta:env:NAME` names one of its own, `meta` alone means the one that `verify` names.
- `microsoft` (Microsoft Graph, "Receive change notifications through webhooks"): a POST with `validationToken` in the query.
- `dropbox` (Dropbox, "Webhooks"): a GET with `challenge` in the query.

Each is answered with the text that it brings, as plain text.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from keystroke.domain.payload import Json
from keystroke.domain.post import Post
from keystroke.errors import ChallengeRefused
from keystroke.verify.reference import SecretReference

CHALLENGES: Final = ("slack", "meta", "microsoft", "dropbox")
_META: Final = "meta"
#: Handshakes that come as a GET.
_GETS: Final = frozenset({"meta", "dropbox"})
#: Those whose request is signed as deliveries are; the others come before anything is agreed on.
_SIGNED: Final = frozenset({"slack"})
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Challenge:
    """A handshake by name; `secret` is the reference of the token that Meta's has to bring, None: that of `verify`."""

    name: str
    secret: str | None = None

    @classmethod
    def parse(cls, text: object) -> Challenge:
        """Read what an author wrote, or what was published; ValueError says how one is written."""
        if isinstance(text, str) and text in CHALLENGES:
            return cls(text)
        name, _, secret = text.partition(":") if isinstance(text, str) else ("", "", "")
        if name != _META:
            raise ValueError(f"{text!r} is no handshake")
        return cls(name, str(SecretReference.parse(secret)))

    @property
    def is_get(self) -> bool:
        """Whether it comes as a GET."""
        return self.name in _GETS

    @property
    def is_signed(self) -> bool:
        """Whether it has to be verified as a delivery is."""
        return self.name in _SIGNED

    def asks(self, post: Post, payload: Callable[[], Json]) -> bool:
        """Whether the request is this handshake; `payload` reads its body, null where that is no JSON."""
        if self.is_get is not (post.method == "GET"):
            return False
        if self.name == "slack":
            body = payload() if b"url_verification" in post.body else None
            return isinstance(body, dict) and body.get("type") == "url_verification"
        names = {"meta": "hub.challenge", "microsoft": "validationToken", "dropbox": "challenge"}
        return names[self.name] in post.query

    def answer(self, post: Post, payload: Callable[[], Json], tokens: Callable[[], Sequence[str]]) -> str:
        """The text to answer with; ChallengeRefused where it is not asked as it should be. `tokens` are Meta's live secrets."""
        if self.name == "slack":
            body = payload()
            asked = body.get("challenge") if isinstance(body, dict) else None
        elif self.name == "meta":
            asked = _asked_by_meta(post, tokens())
        else:
            asked = post.query["validationToken" if self.name == "microsoft" else "challenge"]
        if not isinstance(asked, str) or not 0 < len(asked) <= _LONGEST:
            raise ChallengeRefused(name=self.name)
        return asked


def _asked_by_meta(post: Post, tokens: Sequence[str]) -> str:
    given = post.query.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
    known = [hmac.compare_digest(given, token.encode("utf-8", "surrogatepass")) for token in tokens]
    if post.query.get("hub.mode") != "subscribe" or not any(known):
        raise ChallengeRefused(name="meta")
    return post.query["hub.challenge"]
