"""Whatever bit of a delivery changes it is refused, and whatever comes in its headers, nothing but Unverified is raised."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keystroke.errors import Unverified
from keystroke.verify import Verifier, github, hmac_sha256, slack, standard_webhooks, stripe, token
from keystroke.verify.check import delivery_id, verify

NOW: Final = 1_700_000_000
KEY: Final = "whsec_" + base64.b64encode(b"a secret of the properties").decode()
_PRIVATE: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC: Final = (
    "whpk_" + base64.b64encode(_PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
)
Sign = Callable[[bytes], dict[str, str]]


def _hex(content: bytes, key: bytes = KEY.encode(), algorithm: str = "sha256") -> str:
    return hmac.new(key, content, algorithm).hexdigest()


def _standard(body: bytes) -> dict[str, str]:
    digest = hmac.new(base64.b64decode(KEY[6:]), f"msg.{NOW}.".encode() + body, hashlib.sha256).digest()
    return _standard_headers("v1," + base64.b64encode(digest).decode())


def _asymmetric(body: bytes) -> dict[str, str]:
    signature = _PRIVATE.sign(f"msg.{NOW}.".encode() + body)
    return _standard_headers("v1a," + base64.b64encode(signature).decode())


def _standard_headers(signature: str) -> dict[str, str]:
    return {"webhook-id": "msg", "webhook-timestamp": str(NOW), "webhook-signature": signature}


def _slack(body: bytes) -> dict[str, str]:
    signature = "v0=" + _hex(f"v0:{NOW}:".encode() + body)
    return {"x-slack-request-timestamp": str(NOW), "x-slack-signature": signature}


SCHEMES: Final[dict[str, tuple[Verifier, Sign]]] = {
    "standard": (standard_webhooks("env:KEY"), _standard),
    "asymmetric": (standard_webhooks("env:KEY"), _asymmetric),
    "github": (github("env:KEY"), lambda body: {"x-hub-signature-256": "sha256=" + _hex(body)}),
    "stripe": (
        stripe("env:KEY"),
        lambda body: {"stripe-signature": f"t={NOW},v1={_hex(f'{NOW}.'.encode() + body)}"},
    ),
    "slack": (slack("env:KEY"), _slack),
    "base64": (
        hmac_sha256("env:KEY", header="x-sign", encoding="base64", algorithm="sha512"),
        lambda body: {"x-sign": base64.b64encode(bytes.fromhex(_hex(body, algorithm="sha512"))).decode()},
    ),
    "token": (token("env:KEY", header="x-token"), lambda _: {"x-token": KEY}),
}


def _check(
    verifier: Verifier, headers: dict[str, str], body: bytes, query: dict[str, str] | None = None
) -> None:
    verify(verifier.as_json(), headers, query or {}, body, lambda _: [KEY, PUBLIC], NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(body=st.binary(max_size=200), data=st.data())
def test_a_flipped_bit_is_refused(scheme: str, body: bytes, data: st.DataObject) -> None:
    verifier, sign = SCHEMES[scheme]
    headers = sign(body)
    _check(verifier, headers, body)
    places = [*headers, *(["body"] if body and scheme != "token" else [])]
    place = data.draw(st.sampled_from(places))
    if place == "body":
        body = _flipped(body, data)
    else:
        # Headers come to the API as Latin-1.
        headers[place] = _flipped(headers[place].encode("latin-1"), data).decode("latin-1")
    with pytest.raises(Unverified):
        _check(verifier, headers, body)


def _flipped(content: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, len(content) * 8 - 1))
    changed = bytearray(content)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(
    values=st.lists(
        st.text(max_size=60)
        | st.from_regex(r"(t=[0-9]+,|v1a?,|v1=|v0=|sha256=)*[A-Za-z0-9+/=, ]*", fullmatch=True)
        | st.just(str(NOW)),
        min_size=3, max_size=3,
    ),
    body=st.binary(max_size=50),
)  # fmt: skip
def test_garbage_is_refused_and_breaks_nothing(scheme: str, values: list[str], body: bytes) -> None:
    verifier, sign = SCHEMES[scheme]
    headers = dict(zip(sign(b""), values, strict=False))
    with pytest.raises(Unverified):
        _check(verifier, headers, body, {"token": values[0]})
    found = delivery_id(verifier.as_json(), {**headers, "idempotency-key": values[0]}, body)
    assert found is None or (found.isascii() and len(found) <= 200)
