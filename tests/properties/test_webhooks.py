"""Whatever is posted is never our mistake; and the pure parts: forms, pruning, places, what is kept of headers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from keystroke.domain.delivery import body_json, kept_headers
from keystroke.domain.form import read_form
from keystroke.domain.post import Post, matches
from keystroke.domain.pruning import pruned
from keystroke.settings import Settings
from keystroke.store import Database
from support.posting import Webhooks, open_webhooks

_DEFINITIONS = """
class Event(BaseModel):
    kind: Literal["a", "b"]
    at: int | None = None
    inner: Lead | None = None

webhook("open", "open", Event, open_endpoint(), match={"body:inner.name": ["Ada", None], "query:x": "y"},
    dedupe="body:at").attach(anything).attach(strict, transform=lambda event: {"name": "x"})
webhook("any", "any", None, open_endpoint(), challenge="microsoft").attach(anything).attach(strict)
webhook("first", "both", Lead, github("env:SENDER"), challenge="slack").attach(greet)
webhook("second", "both", None, open_endpoint(), rate_limit=RateLimit(1_000, per="1s")).attach(anything)
webhook("signed", "signed", Lead, standard_webhooks("operator:NONE"), challenge="dropbox").attach(greet)
"""
_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_event = st.fixed_dictionaries(
    {"kind": st.sampled_from(["a", "b", "c", 1])},
    optional={"at": _any_json, "inner": _any_json | st.just({"name": "Ada"}), "$sealed": st.text()},
)
_body = (
    st.binary(max_size=300)
    | (_any_json | _event).map(json.dumps).map(str.encode)
    | st.dictionaries(st.sampled_from(["kind", "at", "payload", "inner"]) | st.text(), st.text()).map(urlencode).map(str.encode)
    | st.sampled_from([b"[" * 10_000, b'{"a":' * 5_000, b"1" * 5_000, b'"\\ud800"', b"\x00", b"payload=%5B" + b"%5B" * 5_000])
)  # fmt: skip
_header_value = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
)
_headers = st.dictionaries(
    st.sampled_from([
        "Idempotency-Key", "traceparent", "X-Hub-Signature-256", "webhook-id", "webhook-timestamp", "webhook-signature",
        "Authorization", "X-Request-Id", "X-Forwarded-For", "Accept",
    ]),
    _header_value, max_size=3,
)  # fmt: skip
_query = st.dictionaries(
    st.sampled_from(["x", "validationToken", "challenge"]) | st.text(max_size=5),
    st.text(max_size=20),
    max_size=2,
)
_segment = st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=20)
_media_types = st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "\xff", None]
)  # fmt: skip


@pytest.fixture(scope="module")
def any_hooks(migrated_sqlite: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhooks]:
    """One app for all examples: what one leaves behind must not break another."""
    folder = tmp_path_factory.mktemp("any")
    shutil.copyfile(migrated_sqlite, folder / "keystroke.db")
    chosen = Settings(
        database_url=f"sqlite:///{folder / 'keystroke.db'}", secret_key=("k",), sqlite_synchronous="NORMAL"
    )
    database = Database.from_settings(chosen)
    opened = open_webhooks(database, chosen, folder / "project", _DEFINITIONS)
    yield opened
    opened.api.services.close()
    database.close()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["open", "any", "both", "signed", "shop/open"]) | _segment,
    query=_query,
    headers=_headers, body=_body, media_type=_media_types,
    method=st.sampled_from(["POST"] * 8 + ["GET", "HEAD", "PUT"]),
)  # fmt: skip
def test_whatever_is_posted_is_answered(
    any_hooks: Webhooks, path: str, query: dict[str, str], headers: dict[str, str], body: bytes, media_type: str | None,
    method: str,
) -> None:  # fmt: skip
    answer = any_hooks.api.client.open(
        f"/triggers/{path}",
        method=method,
        data=body,
        query_string=query,
        headers=headers,
        content_type=media_type,
    )
    assert answer.status_code < 500, answer.text
    if answer.status_code in (200, 202) and answer.mimetype == "application/json":
        shown = any_hooks.api.get(f"/deliveries/{answer.json['delivery_id']}")
        assert shown.status_code == 200, shown.text
        assert any_hooks.api.get("/deliveries?limit=1").status_code == 200


@given(st.dictionaries(st.text(), st.text()))
def test_a_form_without_a_schema_is_its_texts(fields: dict[str, str]) -> None:
    encoded = {name: value for name, value in fields.items() if name != "payload"}
    assert read_form(urlencode(encoded).encode(), None) == encoded


@given(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.integers(), min_size=1),
)
def test_a_form_has_the_types_of_the_schema(
    whole: int, number: float, truth: bool, several: list[int]
) -> None:
    schema = {
        "properties": {
            "whole": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "number": {"$ref": "#/$defs/Number"},
            "truth": {"type": "boolean"}, "several": {"type": "array", "items": {"type": "integer"}},
        },
        "$defs": {"Number": {"type": "number"}},
    }  # fmt: skip
    value = {"whole": whole, "number": number, "truth": truth, "several": several}
    form = urlencode({**value, "number": repr(number), "truth": str(truth).lower()}, doseq=True)
    assert read_form(form.encode(), schema) == value


_CLOSED = {
    "type": "object", "additionalProperties": False, "required": ["name"],
    "properties": {
        "name": {}, "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        "all": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
    "$defs": {"Node": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}},
}  # fmt: skip
_node = st.dictionaries(st.sampled_from(["name", "x", "y"]), st.text(), max_size=3)


@given(
    st.fixed_dictionaries(
        {"name": _any_json}, optional={"next": st.none() | _node, "all": st.lists(_node), "more": _any_json}
    )
)
@example({"name": 1, "next": {"x": "a", "name": "b"}, "more": 3})
def test_what_is_pruned_fits_and_keeps_what_is_known(value: dict[str, Any]) -> None:
    left = pruned(_CLOSED, value)
    assert Draft202012Validator(_CLOSED).is_valid(left)
    assert left["name"] == value["name"]
    assert pruned(_CLOSED, left) == left


@given(_any_json)
def test_an_open_schema_prunes_nothing(value: Any) -> None:
    assert pruned({}, value) == value
    assert pruned({"anyOf": [{"type": "object"}, {"type": "string"}]}, value) == value


@given(_any_json, st.lists(st.sampled_from(["a", "0", "1", "x" * 20, "9" * 30]), min_size=1, max_size=4))
def test_any_place_can_be_asked_for(payload: Any, path: list[str]) -> None:
    matches({f"body:{'.'.join(path)}": ["never to be found"]}, Post("POST", {}, {}, b""), payload)


@given(
    st.dictionaries(
        st.sampled_from(["authorization", "x-api-key", "my-token", "cookie", "x-mac", "accept"]),
        st.text(min_size=20),
    )
)
def test_no_credential_is_kept(headers: dict[str, str]) -> None:
    kept = kept_headers(headers, frozenset({"x-mac"}))
    assert {name for name, value in kept.items() if value != "[redacted]"} <= {"accept"}


@given(st.binary(), st.sampled_from([None, "application/x-www-form-urlencoded", "application/json"]))
def test_any_body_can_be_shown(body: bytes, media_type: str | None) -> None:
    json.dumps(body_json(body, media_type, frozenset({"token"})), allow_nan=False)
