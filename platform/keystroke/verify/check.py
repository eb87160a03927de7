"""The check of a delivery by a published verifier: constant time, over the raw bytes; and the provider's id of the delivery.

Nothing here touches a database or a clock: the caller brings the secrets and the time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from keystroke.errors import Unverified
from keystroke.verify import providers, standard
from keystroke.verify.delivered import Delivered, raw

_CHECKS: Final[Mapping[str, Callable[[Delivered, dict[str, Any]], None]]] = {
    "standard_webhooks": lambda delivered, _: standard.check(delivered),
    "github": lambda delivered, _: providers.check_github(delivered),
    "stripe": lambda delivered, _: providers.check_stripe(delivered),
    "slack": lambda delivered, _: providers.check_slack(delivered),
    "hmac": providers.check_hmac,
    "token": providers.check_token,
}
#: Where a provider names its delivery: a header, or a field of the body.
_ID_HEADERS: Final = {"standard_webhooks": "webhook-id", "github": "x-github-delivery"}
_ID_FIELDS: Final = {"stripe": "id", "slack": "event_id"}
_FALLBACK: Final = "idempotency-key"
_SHORT: Final = re.compile(r"[\x20-\x7e]{1,200}\Z")


def verify(
    spec: dict[str, Any],
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    secrets: Callable[[str], Sequence[str]],
    now: float,
) -> None:
    """Raise Unverified unless the delivery is its sender's; it raises nothing else, whatever came.

    `spec` is `Verifier.as_json()` as published. `secrets` gives the live secrets of a reference, none where it is not set.
    `now` is in seconds since 1970. The reason (`Unverified.why`) is for the log and the operator, never for the sender.
    """
    if spec["scheme"] == "open":
        return
    check = _CHECKS.get(spec["scheme"])
    if check is None:
        raise Unverified(why=f"this version does not know the verifier {spec['scheme']}")
    keys = [key for key in secrets(spec["secret"]) if key]
    if not keys:
        raise Unverified(why=f"the secret {spec['secret']} is not set")
    check(Delivered(_by_lower_name(headers), query, body, keys, now), spec)


def delivery_id(spec: dict[str, Any], headers: Mapping[str, str], body: bytes) -> str | None:
    """The sender's id of the delivery, by which one that comes again is known; else its `Idempotency-Key`; None: neither.

    A long id, or one of unusual characters, is given as its SHA-256.
    """
    named, scheme = _by_lower_name(headers), spec["scheme"]
    own = _field(body, _ID_FIELDS[scheme]) if scheme in _ID_FIELDS else named.get(_ID_HEADERS.get(scheme, ""))
    found = own or named.get(_FALLBACK)
    if not found:
        return None
    return found if _SHORT.match(found) else "sha256:" + hashlib.sha256(raw(found)).hexdigest()


def credentials(spec: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Which headers (lower-case) and query parameters hold the token itself: they are not to be stored or shown."""
    if spec["scheme"] != "token":
        return frozenset(), frozenset()
    header, query = spec.get("header"), spec.get("query")
    return frozenset([header.lower()] if header else ()), frozenset([query] if query else ())


def secret_reference(spec: dict[str, Any]) -> str | None:
    """The reference of the secret that a verifier needs, None where it needs none."""
    reference: str | None = spec.get("secret")
    return reference


def secret_problem(spec: dict[str, Any], key: str) -> str | None:
    """Why a secret's value cannot serve this verifier, in words that do not repeat it; None: it may."""
    return standard.key_problem(key) if spec["scheme"] == "standard_webhooks" else None


def _by_lower_name(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _field(body: bytes, name: str) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
