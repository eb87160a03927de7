"""How whoever posts to a webhook signs, in words: made of the published verifier, without any secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import request

from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.services import services

_NOBODY: Final = "Nobody has to sign: whoever knows the address may post."
_SENTENCES: Final = {
    "standard_webhooks": "Sign as Standard Webhooks has it: `webhook-id`, `webhook-timestamp` (seconds since 1970) and "
    "`webhook-signature: v1,<base 64 of HMAC-SHA256>` over `{id}.{timestamp}.{body}`, with the secret {secret}.",
    "github": "Enter the address and the secret {secret} in GitHub's settings of the webhook, content type "
    "application/json; GitHub then sends `X-Hub-Signature-256`.",
    "stripe": "Add the address as an endpoint in Stripe; the signing secret that it shows is {secret}. Stripe then sends "
    "`Stripe-Signature`.",
    "slack": "Enter the address in the Slack app's settings; the app's signing secret is {secret}. Slack then sends "
    "`X-Slack-Signature`.",
    "hmac": "Send `{header}: {prefix}<{encoding} of HMAC-{algorithm}>` over the body's bytes, with the secret {secret}.",
}


def public_url(source: Source, project: Project) -> str | None:
    """The address that a webhook is posted to; None for other sources."""
    endpoint = source.manifest.options.get("endpoint")
    if source.manifest.kind != "webhook" or not endpoint:
        return None
    base = services().settings.public_url or request.host_url
    return f"{base.rstrip('/')}/triggers/{project.slug}/{endpoint}"


def signing_of(source: Source) -> dict[str, Any] | None:
    """`{scheme, secret, how}` of a webhook: the secret is the name that it goes by, `how` a sentence."""
    if source.manifest.kind != "webhook":
        return None
    spec: Mapping[str, Any] = source.manifest.options.get("verify") or {}
    scheme = str(spec.get("scheme", "open"))
    return {"scheme": scheme, "secret": spec.get("secret"), "how": _sentence(scheme, spec)}


def _sentence(scheme: str, spec: Mapping[str, Any]) -> str:
    secret = f"`{spec.get('secret')}`"
    if scheme == "token":
        return _of_token(spec, secret)
    if scheme not in _SENTENCES:
        return _NOBODY if scheme == "open" else f"Sign as {scheme} does, with the secret {secret}."
    parts = {name: str(spec.get(name, "")) for name in ("header", "prefix", "encoding", "algorithm")}
    text = _SENTENCES[scheme]
    for name, value in (parts | {"secret": secret, "algorithm": parts["algorithm"].upper()}).items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _of_token(spec: Mapping[str, Any], secret: str) -> str:
    if "query" in spec:
        return f"Add `?{spec['query']}=<token>` to the address; the token is {secret}."
    header = str(spec.get("header", "Authorization"))
    value = "Bearer <token>" if header.lower() == "authorization" else "<token>"
    return f"Send `{header}: {value}`; the token is {secret}."
