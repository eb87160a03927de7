"""Verifiers: what authors write, the vectors of each provider's documentation, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from keystroke.errors import Unverified
from keystroke.verify import (
    Verifier,
    github,
    hmac_sha256,
    open_endpoint,
    slack,
    standard_webhooks,
    stripe,
    token,
)
from keystroke.verify.check import credentials, delivery_id, secret_problem, secret_reference, verify

# The example that the libraries of Standard Webhooks and the documentation of Svix, "Verifying Webhooks Manually", share.
STANDARD_KEY: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY: Final = b'{"test": 2432232314}'
STANDARD_TIME: Final = 1_614_265_330
STANDARD_HEADERS: Final = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(STANDARD_TIME),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
# The same message signed by ed25519, with the key pair that Svix publishes for tests of its server.
PUBLIC_KEY: Final = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
BY_ED25519: Final = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)
# GitHub Docs, "Validating webhook deliveries", "Testing the webhook payload validation".
GITHUB_KEY: Final = "It's a Secret to Everybody"
GITHUB_BODY: Final = b"Hello, World!"
GITHUB_HEADERS: Final = {
    "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
}
# Slack API documentation, "Verifying requests from Slack", the walk-through's request.
SLACK_KEY: Final = "8f742231b10e8888abcd99yyyzzz85a5"
SLACK_TIME: Final = 1_531_420_618
SLACK_BODY: Final = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
    b".803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_HEADERS: Final = {
    "X-Slack-Request-Timestamp": str(SLACK_TIME),
    "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
}
NOW: Final = 1_700_000_000


def check(
    verifier: Verifier,
    headers: Mapping[str, str],
    body: bytes,
    *keys: str,
    now: float = NOW,
    query: Mapping[str, str] | None = None,
) -> None:
    """Check as the API does, with these live secrets."""

    def live(reference: str) -> Sequence[str]:
        assert reference == "env:KEY"
        return keys

    verify(verifier.as_json(), headers, query or {}, body, live, now)


def refused(*given: Any, **options: Any) -> str:
    """Why the delivery is refused."""
    with pytest.raises(Unverified) as caught:
        check(*given, **options)
    return str(caught.value.why)


def stripe_header(body: bytes, *keys: str, at: int = NOW, version: str = "v1") -> dict[str, str]:
    """As Stripe's documentation, "Verify webhook signatures manually", says that it signs."""
    content = f"{at}.".encode() + body
    parts = [f"{version}={hmac.new(key.encode(), content, hashlib.sha256).hexdigest()}" for key in keys]
    return {"Stripe-Signature": ",".join([f"t={at}", *parts])}


def test_vectors_of_the_providers_documentation() -> None:
    check(
        standard_webhooks("env:KEY"), STANDARD_HEADERS, STANDARD_BODY, STANDARD_KEY, now=STANDARD_TIME + 299
    )
    check(github("env:KEY"), GITHUB_HEADERS, GITHUB_BODY, GITHUB_KEY)
    check(slack("env:KEY"), SLACK_HEADERS, SLACK_BODY, SLACK_KEY, now=SLACK_TIME)


def test_standard_webhooks_by_ed25519_beside_hmac() -> None:
    verifier, both = standard_webhooks("env:KEY"), STANDARD_HEADERS["webhook-signature"] + " " + BY_ED25519
    for signature, key in ((BY_ED25519, PUBLIC_KEY), (both, PUBLIC_KEY), (both, STANDARD_KEY)):
        headers = {**STANDARD_HEADERS, "webhook-signature": signature}
        check(verifier, headers, STANDARD_BODY, key, now=STANDARD_TIME)
    only_hmac = refused(verifier, STANDARD_HEADERS, STANDARD_BODY, PUBLIC_KEY, now=STANDARD_TIME)
    assert only_hmac == "no signature is one of ours"
    # The bytes of a public key are known to everybody: they are no secret of an HMAC.
    forged = {
        **STANDARD_HEADERS,
        "webhook-signature": Webhook(PUBLIC_KEY.removeprefix("whpk_")).sign(
            STANDARD_HEADERS["webhook-id"], datetime.fromtimestamp(STANDARD_TIME, UTC), STANDARD_BODY.decode()
        ),
    }
    assert refused(verifier, forged, STANDARD_BODY, PUBLIC_KEY, now=STANDARD_TIME)


def test_what_the_library_of_standard_webhooks_signs() -> None:
    key, body = "whsec_" + base64.b64encode(b"24 bytes that are secret").decode(), '{"name": "Ada · ☃"}'
    at = datetime.fromtimestamp(NOW, UTC)
    headers = {
        "Webhook-Id": "msg_1", "Webhook-Timestamp": str(NOW), "Webhook-Signature": Webhook(key).sign("msg_1", at, body),
    }  # fmt: skip
    check(standard_webhooks("env:KEY"), headers, body.encode(), key)
    check(standard_webhooks("env:KEY"), headers, body.encode(), "whsec_b3RoZXI=", key)
    check(standard_webhooks("env:KEY"), headers, body.encode(), key.removeprefix("whsec_").rstrip("="))
    garbage_before = {**headers, "Webhook-Signature": "v1 v9,x v1,?? " + headers["Webhook-Signature"]}
    check(standard_webhooks("env:KEY"), garbage_before, body.encode(), key)


def test_several_signatures_and_several_live_secrets() -> None:
    body = b'{"id": "evt_1"}'
    rolled = stripe_header(body, "old", "new")
    check(stripe("env:KEY"), rolled, body, "new")
    check(stripe("env:KEY"), rolled, body, "unrelated", "old")
    check(stripe("env:KEY"), stripe_header(body, "old"), body, "new", "old")
    assert refused(stripe("env:KEY"), rolled, body, "unrelated") == "no signature is one of ours"
    assert refused(stripe("env:KEY"), stripe_header(body, "new", version="v0"), body, "new")


@pytest.mark.parametrize("late", [-301, 301])
def test_a_time_more_than_five_minutes_away_is_refused(late: int) -> None:
    why = "its timestamp is more than 5 minutes away from now"
    near = late - (1 if late > 0 else -1)
    for verifier, headers, body, key, at in (
        (standard_webhooks("env:KEY"), STANDARD_HEADERS, STANDARD_BODY, STANDARD_KEY, STANDARD_TIME),
        (slack("env:KEY"), SLACK_HEADERS, SLACK_BODY, SLACK_KEY, SLACK_TIME),
        (stripe("env:KEY"), stripe_header(b"{}", "key"), b"{}", "key", NOW),
    ):
        check(verifier, headers, body, key, now=at + near)
        assert refused(verifier, headers, body, key, now=at + late) == why


@pytest.mark.parametrize(
    "text", ["", "-1", "1_700_000_000", "1.7e9", "１７００００００００", "nan", "9" * 5000]
)
def test_a_time_that_is_no_number_of_seconds(text: str) -> None:
    headers = {**SLACK_HEADERS, "X-Slack-Request-Timestamp": text}
    assert "timestamp" in refused(slack("env:KEY"), headers, SLACK_BODY, SLACK_KEY).lower()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_generic_hmac(algorithm: Any, encoding: Any) -> None:
    # RFC 2202 and RFC 4231, test case 2.
    key, body = "Jefe", b"what do ya want for nothing?"
    digest = {
        "sha1": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        "sha256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "sha512": (
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        ),
    }[algorithm]
    text = digest if encoding == "hex" else base64.b64encode(bytes.fromhex(digest)).decode()
    verifier = hmac_sha256("env:KEY", header="X-Sign", prefix="sig=", encoding=encoding, algorithm=algorithm)
    check(verifier, {"x-sign": f"sig={text}"}, body, key)
    assert refused(verifier, {"x-sign": text}, body, key) == "the header X-Sign does not begin with sig="
    assert refused(verifier, {"x-sign": f"sig={text}"}, body + b"!", key)
    if encoding == "hex":
        check(verifier, {"x-sign": f"sig={text.upper()}"}, body, key)


def test_tokens() -> None:
    bearer, raw, query = (
        token("env:KEY"), token("env:KEY", header="X-Gitlab-Token"), token("env:KEY", query="token")
    )  # fmt: skip
    check(bearer, {"authorization": "bearer s3cret·"}, b"", "other", "s3cret·")
    check(raw, {"x-gitlab-token": "s3cret"}, b"", "s3cret")
    check(query, {}, b"", "s3cret", query={"token": "s3cret"})
    assert "bearer" in refused(bearer, {"authorization": "Basic s3cret"}, b"", "s3cret")
    assert refused(query, {}, b"", "s3cret") == "the query parameter token is missing"
    assert refused(query, {}, b"", "s3cret", query={"token": "s3cre"}) == "no token is one of ours"
    assert credentials(bearer.as_json()) == (frozenset({"authorization"}), frozenset())
    assert credentials(raw.as_json()) == (frozenset({"x-gitlab-token"}), frozenset())
    assert credentials(query.as_json()) == (frozenset(), frozenset({"token"}))
    assert credentials(github("env:KEY").as_json()) == (frozenset(), frozenset())


def test_an_open_endpoint_needs_no_secret() -> None:
    check(open_endpoint(), {}, b"anything")
    assert secret_reference(open_endpoint().as_json()) is None
    assert open_endpoint().as_json() == {"scheme": "open"}


def test_a_secret_that_is_not_set_refuses() -> None:
    for keys in ((), ("",)):
        assert (
            refused(token("env:KEY"), {"authorization": "Bearer "}, b"", *keys)
            == "the secret env:KEY is not set"
        )
    assert secret_reference(github("env:KEY").as_json()) == "env:KEY"


def test_a_verifier_of_a_later_version_refuses() -> None:
    with pytest.raises(Unverified, match="does not know the verifier quantum"):
        verify({"scheme": "quantum", "secret": "env:KEY"}, {}, {}, b"", lambda _: ["key"], NOW)


def test_a_secret_of_the_wrong_form_is_said_without_its_value() -> None:
    why = refused(
        standard_webhooks("env:KEY"), STANDARD_HEADERS, STANDARD_BODY, "whsec_not base 64", now=STANDARD_TIME
    )
    assert why == "the secret is not written as whsec_ or whpk_ and base 64"
    spec = standard_webhooks("env:KEY").as_json()
    assert secret_problem(spec, "whpk_AAAA") == (
        "the secret begins with whpk_ and is no public key of ed25519, which has 32 bytes"
    )
    assert secret_problem(spec, STANDARD_KEY) is secret_problem(spec, PUBLIC_KEY) is None
    assert secret_problem(github("env:KEY").as_json(), "anything") is None
    # Beside a good one it does no harm.
    check(
        standard_webhooks("env:KEY"), STANDARD_HEADERS, STANDARD_BODY, "whpk_AAAA", STANDARD_KEY, now=STANDARD_TIME
    )  # fmt: skip


def test_the_providers_id_of_a_delivery() -> None:
    def found(verifier: Verifier, headers: dict[str, str], body: bytes = b"{}") -> str | None:
        return delivery_id(verifier.as_json(), headers, body)

    fallback = {"idempotency-KEY": "mine"}
    assert found(standard_webhooks("env:KEY"), {"Webhook-Id": "msg_1", **fallback}) == "msg_1"
    assert found(github("env:KEY"), {"X-GitHub-Delivery": "72d3162e", **fallback}) == "72d3162e"
    assert found(stripe("env:KEY"), fallback, b'{"id": "evt_1"}') == "evt_1"
    assert found(slack("env:KEY"), fallback, b'{"event_id": "Ev1"}') == "Ev1"
    for body in (b"", b"\xff", b"[]", b'{"id": 5}', b"[" * 100_000):
        assert found(stripe("env:KEY"), fallback, body) == "mine"
        assert found(stripe("env:KEY"), {}, body) is None
    assert found(open_endpoint(), {"X-GitHub-Delivery": "1", "webhook-id": "2"}) is None
    assert found(open_endpoint(), fallback) == "mine"
    odd = found(open_endpoint(), {"idempotency-key": "x" * 300})
    assert odd == "sha256:" + hashlib.sha256(b"x" * 300).hexdigest()
    surrogate = found(stripe("env:KEY"), {}, rb'{"id": "\ud800\u0000"}')
    assert surrogate is not None
    assert surrogate.startswith("sha256:")


def test_published_verifiers() -> None:
    assert standard_webhooks("env:SIGNUP_SECRET").as_json() == {
        "scheme": "standard_webhooks", "secret": "env:SIGNUP_SECRET",
    }  # fmt: skip
    assert hmac_sha256("operator:shop", header="X-Shop", encoding="base64").as_json() == {
        "scheme": "hmac", "secret": "operator:shop", "header": "X-Shop", "prefix": "", "encoding": "base64",
        "algorithm": "sha256",
    }  # fmt: skip
    assert token("env:KEY").as_json() == {"scheme": "token", "secret": "env:KEY", "header": "Authorization"}


@pytest.mark.parametrize(
    "secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "", "env:", "env:A B", "vault:KEY", "env:1A", None]
)
def test_a_secret_is_named_and_never_written(secret: Any) -> None:
    with pytest.raises(ValueError) as caught:
        github(secret)
    assert "MfKQ9r8" not in str(caught.value)


def test_options_that_make_no_sense() -> None:
    wrong: Any = "rot13"
    makes: tuple[Callable[[], Verifier], ...] = (
        lambda: hmac_sha256("env:KEY", header=""),
        lambda: hmac_sha256("env:KEY", header="X Sign"),
        lambda: hmac_sha256("env:KEY", header="X-Sign", encoding=wrong),
        lambda: hmac_sha256("env:KEY", header="X-Sign", algorithm=wrong),
        lambda: token("env:KEY", header="X-Token", query="token"),
        lambda: token("env:KEY", query="a b"),
    )
    for make in makes:
        with pytest.raises(ValueError):
            make()


def test_a_key_pair_made_here() -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    body = b"\x00\xff not even text"
    signature = private.sign(f"msg_1.{NOW}.".encode() + body)
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(NOW),
        "webhook-signature": f"v1,AAAA v1a,{base64.b64encode(signature).decode()}",
    }  # fmt: skip
    check(standard_webhooks("env:KEY"), headers, body, "whpk_" + base64.b64encode(public).decode())
