"""Webhooks as an author writes them: what is published, and what is wrong with one, in a line."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from keystroke import RateLimit, Respond, webhook, workflow
from keystroke.errors import DefinitionError
from keystroke.verify import github, open_endpoint


class Push(BaseModel):
    kind: Literal["push"]


@workflow("take")
def take(push: Push) -> None: ...


def test_everything_that_is_said_is_published() -> None:
    made = webhook(
        "pushes", "hub", payload=Push, verify=github("env:SECRET"),
        match={"header:X-GitHub-Event": ["push"], "body:number": 1}, dedupe="body:id",
        rate_limit=RateLimit(10, per="1m"), respond=Respond(204), challenge="slack", name="Pushes",
        description="What is pushed.",
    ).attach(take)  # fmt: skip
    manifest = made.manifest()
    assert (manifest.kind, manifest.slug, manifest.name, manifest.description, manifest.label) == (
        "webhook", "pushes", "Pushes", "What is pushed.", "Webhook · pushes",
    )  # fmt: skip
    assert manifest.options == {
        "endpoint": "hub", "verify": {"scheme": "github", "secret": "env:SECRET"},
        "match": {"header:X-GitHub-Event": ["push"], "body:number": [1]}, "dedupe": "body:id",
        "rate_limit": {"limit": 10, "per": 60.0}, "respond": {"status": 204, "body": "", "content_type": "text/plain"},
        "challenge": "slack",
    }  # fmt: skip
    assert manifest.payload_schema is not None
    assert manifest.payload_schema["properties"]["kind"]["const"] == "push"
    assert made.problems() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"verify": None}, "verify=open_endpoint()"),
        ({"verify": "env:SECRET"}, "write it like github('env:GITHUB_SECRET')"),
        ({"slug": "Not A Slug"}, "slug is 'Not A Slug'"),
        ({"endpoint": "a/b"}, "endpoint is 'a/b'"),
        ({"endpoint": ""}, "endpoint is ''"),
        ({"endpoint": "trg_01jd3v5w0gf8tbm5zbbdb40jyq"}, "endpoint is 'trg_"),
        ({"match": {"x-github-event": ["push"]}}, "match: 'x-github-event' is none of"),
        ({"match": {"cookie:a": ["push"]}}, "match: 'cookie:a' is none of"),
        ({"match": {"header:": ["push"]}}, "match: 'header:' is none of"),
        ({"match": {"header:a": [1]}}, "match: header:a is [1]; it must be one or a list of texts"),
        ({"match": {"body:a": []}}, "match: body:a is []"),
        ({"match": ["push"]}, "match is ['push']"),
        ({"dedupe": "id"}, "dedupe: 'id' is none of"),
        ({"rate_limit": 10}, "rate_limit is 10"),
        ({"rate_limit": RateLimit(1, key="{input.a}")}, "rate_limit has a key"),
        ({"respond": 200}, "respond is 200"),
        ({"challenge": "github"}, "challenge: 'github' is no handshake; it is one of slack, meta"),
        ({"challenge": "meta:s3cret"}, "challenge: a secret is named, never written"),
        ({"challenge": "meta"}, "meta:env:NAME"),
        ({"name": 3}, "name is 3"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(wrong: dict[str, Any], said: str) -> None:
    options = {"slug": "pushes", "endpoint": "hub", "verify": open_endpoint(), **wrong}
    with pytest.raises(DefinitionError) as caught:
        webhook(**options)
    (problem,) = caught.value.problems
    assert said in problem.message
    assert "\n" not in problem.message
    assert problem.path == __file__
    assert "s3cret" not in problem.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 302},
        {"status": True},
        {"status": 204, "body": "x"},
        {"body": b"x"},
        {"content_type": "a\r\nb"},
    ],
)
def test_an_answer_that_does_not_accept_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"status|body|content_type"):
        Respond(**wrong)


def test_a_webhook_that_starts_nothing_is_a_problem() -> None:
    assert "nothing is attached" in webhook("pushes", "hub", verify=open_endpoint()).problems()[0]
