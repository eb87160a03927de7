"""Keys of limits: what a template shows of a run."""

from __future__ import annotations

from typing import Any

import pytest

from keystroke.domain.keys import LONGEST_KEY, names_secret, paths_of, render_key
from keystroke.domain.secrets import sealed

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "default": "nobody"},
        "account": {"$ref": "#/$defs/Account"},
        "token": {"type": "string", "writeOnly": True},
    },
    "$defs": {
        "Account": {
            "type": "object",
            "default": {"region": "eu"},
            "properties": {"plan": {"default": 3}, "pin": {"anyOf": [{"type": "null"}, {"writeOnly": True}]}},
        }
    },
}


@pytest.mark.parametrize(
    ("template", "value", "key"),
    [
        (None, {"customer": "acme"}, "bill"),
        ("{input.customer}", {"customer": "acme"}, "bill/acme"),
        ("{input.customer}", {}, "bill/nobody"),
        ("{input.account.plan}", {"account": {}}, "bill/3"),
        ("{input.account.region}", {}, "bill/eu"),
        ("{input.account.nothing}", {}, "bill/"),
        ("{input.nothing}", {}, "bill/"),
        ("{input.customer}", {"customer": None}, "bill/"),
        ("{input.ids[1]}-{tags.team}", {"ids": [7, True]}, "bill/true-ops"),
        ("{input.ids}", {"ids": [1, {"b": 1, "a": 2.5}]}, 'bill/[1,{"a":2.5,"b":1}]'),
        ("{input}", "plain", "bill/plain"),
        ("{tags.nothing}x", {}, "bill/x"),
        ("{input.token}", {"token": sealed("k1:abc")}, "bill/[redacted]"),
        ("all of them", {}, "bill/all of them"),
    ],
)
def test_a_key_is_the_rendered_template(template: str | None, value: Any, key: str) -> None:
    assert render_key("bill", template, value, SCHEMA, {"team": "ops"}) == key


def test_long_and_unprintable_keys_are_bounded_and_stay_different() -> None:
    texts = ["x" * 1000, "x" * 1001, "a\x00b", "a\nb", "ab"]
    keys = [render_key("bill", "{input}", text, {}, {}) for text in texts]
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= len("bill/") + LONGEST_KEY and key.isprintable() for key in keys)


@pytest.mark.parametrize(
    ("template", "secret"),
    [("{input.token}", True), ("{input.account.pin}", True), ("{input.customer}", False), ("{input}", False)],
)
def test_a_template_that_names_a_secret_is_recognised(template: str, secret: bool) -> None:
    [path] = paths_of(template)
    assert names_secret(SCHEMA, path[1:]) is secret
