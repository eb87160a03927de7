"""How GitHub, Stripe and Slack sign, and the HMACs and tokens of everybody else; each by its provider's documentation."""

from __future__ import annotations

import base64
from typing import Any

from keystroke.errors import Unverified
from keystroke.verify.delivered import Delivered, digest, raw


def check_github(delivered: Delivered) -> None:
    """GitHub, "Validating webhook deliveries": `X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>`."""
    given = delivered.header("X-Hub-Signature-256")
    delivered.expect_one(
        [given], ["sha256=" + digest(raw(key), delivered.body).hex() for key in delivered.keys]
    )


def check_stripe(delivered: Delivered) -> None:
    """Stripe, "Verify webhook signatures manually": `t=…,v1=…`, several v1 while a secret is rolled; `{t}.{body}` is signed."""
    parts = [part.partition("=") for part in delivered.header("Stripe-Signature").split(",")]
    times = [text for name, _, text in parts if name.strip() == "t"]
    if len(times) != 1:
        raise Unverified(why="the header Stripe-Signature has not one timestamp")
    content = raw(delivered.signed_at(times[0])) + b"." + delivered.body
    given = [text for name, _, text in parts if name.strip() == "v1"]
    delivered.expect_one(given, [digest(raw(key), content).hex() for key in delivered.keys])


def check_slack(delivered: Delivered) -> None:
    """Slack, "Verifying requests from Slack": `X-Slack-Signature: v0=<hex>`; `v0:{timestamp}:{body}` is signed."""
    timestamp = delivered.signed_at(delivered.header("X-Slack-Request-Timestamp"))
    content = b":".join((b"v0", raw(timestamp), delivered.body))
    given = delivered.header("X-Slack-Signature")
    delivered.expect_one([given], ["v0=" + digest(raw(key), content).hex() for key in delivered.keys])


def check_hmac(delivered: Delivered, spec: dict[str, Any]) -> None:
    """An HMAC of the body in a header, behind a prefix; hexadecimal digits may be of either case."""
    given, prefix = delivered.header(spec["header"]).strip(), spec["prefix"]
    if not given.startswith(prefix):
        raise Unverified(why=f"the header {spec['header']} does not begin with {prefix}")
    given = given[len(prefix) :]
    digests = [digest(raw(key), delivered.body, spec["algorithm"]) for key in delivered.keys]
    if spec["encoding"] == "hex":
        delivered.expect_one([given.lower()], [each.hex() for each in digests])
    else:
        delivered.expect_one([given], [base64.b64encode(each).decode() for each in digests])


def check_token(delivered: Delivered, spec: dict[str, Any]) -> None:
    """A token in the query or in a header; in `Authorization` it stands behind `Bearer` (RFC 6750)."""
    given = delivered.parameter(spec["query"]) if "query" in spec else delivered.header(spec["header"])
    if spec.get("header", "").lower() == "authorization":
        scheme, _, given = given.partition(" ")
        if scheme.lower() != "bearer":
            raise Unverified(why="the header Authorization has no bearer token")
    delivered.expect_one([given.strip()], list(delivered.keys), of="token")
