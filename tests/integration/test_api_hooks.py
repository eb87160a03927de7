"""Hooks over HTTP: by their link, which is its own credential, and by their id for whoever has a key."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from keystroke.domain.actor import LINK_HOLDER
from keystroke.domain.asking import AskingStatus
from keystroke.domain.secrets import HOOK_TOKEN
from keystroke.domain.states import Status
from keystroke.operations.cancel_run import cancel_run
from keystroke.store.sql import Sql
from support.api import Api, assert_problem
from support.hooks import APPROVAL, YES, Question, answer, recorded_answer, waiting
from support.pages import HTML

_EXPIRE = Sql("update hooks set expires_at = {now} - 1 where id = :id")
_FORM = {"input.approved": "true", "input.comment": "fine", "input.email": ""}


def status(api: Api, question: Question) -> AskingStatus:
    """Whether the hook takes an answer."""
    found: AskingStatus = recorded_answer(api.stage, question).status
    return found


def expire(api: Api, question: Question) -> None:
    """Its time is over."""
    with api.stage.database.transaction() as tx:
        tx.run(_EXPIRE, {"id": question.id})


def assert_private(answer: TestResponse) -> None:
    """The answer keeps the link to itself."""
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert "Set-Cookie" not in answer.headers
    assert HOOK_TOKEN.search(answer.text) is None


def test_a_post_of_json_answers_and_the_run_goes_on(api: Api) -> None:
    question = waiting(api.stage)
    answered = api.client.post(question.path, json={"approved": True, "comment": "fine"})
    assert answered.status_code == 200, answered.text
    assert answered.json == {
        "hook": "approval", "status": "answered", "answered_at": answered.json["answered_at"],
    }  # fmt: skip
    assert_private(answered)
    assert api.stage.run(question.run_id).status is Status.QUEUED
    hook = recorded_answer(api.stage, question).hook
    assert (hook.answered_by, hook.answered_from) == (LINK_HOLDER, "127.0.0.1")


def test_every_refusal_has_its_status_as_problem_and_as_page(api: Api) -> None:
    question, missed, ended = waiting(api.stage), waiting(api.stage), waiting(api.stage)
    expire(api, missed)
    cancel_run(api.stage.database, api.stage.scope, ended.run_id, LINK_HOLDER, api.stage.settings)
    assert_problem(api.client.post(question.path, json={"approved": "perhaps"}), 422, "invalid-answer")
    assert status(api, question) is AskingStatus.WAITING
    answer(api.stage, question)
    unknown = Question("", "hkt_" + "a" * 32, "")
    for asked, code, name in (
        (question, 409, "hook-answered"), (missed, 410, "hook-expired"), (ended, 410, "hook-ended"),
        (unknown, 404, "hook-not-found"),
    ):  # fmt: skip
        refused = api.client.post(asked.path, json=YES)
        assert_problem(refused, code, name)
        assert_private(refused)
        page = api.client.post(asked.path, data=_FORM, headers=HTML)
        assert (page.status_code, page.mimetype) == (code, "text/html")
        assert_private(page)
        assert "/history" not in page.text, "the app is none of their business"
    assert api.client.get(unknown.path, headers=HTML).status_code == 404
    assert api.client.get(missed.path, headers=HTML).status_code == 410
    assert api.client.get(question.path, headers=HTML).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "code", "name"),
    [
        ("{", "application/json", 400, "invalid-json"), ("", "application/json", 400, "invalid-json"),
        ("approved", "text/plain", 415, "unsupported-media-type"), ("", "", 415, "unsupported-media-type"),
        ("&".join(f"a{at}=1" for at in range(2_000)), "application/x-www-form-urlencoded", 400, "invalid-form"),
        ('{"approved": true, "comment": "' + "x" * 2_000_000 + '"}', "application/json", 413, "body-too-large"),
        ("[" * 300 + "]" * 300, "application/json", 422, "not-json"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_answer_leaves_the_run_waiting(
    api: Api, body: str, content_type: str, code: int, name: str
) -> None:
    question = waiting(api.stage)
    refused = api.client.post(question.path, data=body, content_type=content_type)
    assert_problem(refused, code, name)
    assert status(api, question) is AskingStatus.WAITING


def test_looking_answers_nothing_whoever_looks(api: Api) -> None:
    """Mail programs, chat windows and crawlers open links, also those that say confirm."""
    question = waiting(api.stage)
    for path in (question.path, f"{question.path}?confirm=1&approved=true"):
        for headers in (HTML, {}, {"User-Agent": "Slackbot-LinkExpanding 1.0"}):
            looked = api.client.get(path, headers=headers)
            assert looked.status_code == 200
            assert_private(looked)
            assert api.client.head(path, headers=headers).status_code == 200
    assert status(api, question) is AskingStatus.WAITING
    assert api.client.put(question.path, json=YES).status_code == 405


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("approved=true", {"approved": True}),
        ("approved=No&comment=too+dear", {"approved": False, "comment": "too dear"}),
    ],
)
def test_a_link_of_one_click_answers_with_the_values_that_it_carries(
    api: Api, query: str, value: object
) -> None:
    question = waiting(api.stage, one_click=True)
    link = f"{question.path}?confirm=1&{query}"
    assert api.client.head(link, headers=HTML).status_code == 200
    assert api.client.get(link, headers={**HTML, "Sec-Purpose": "prefetch;prerender"}).status_code == 200
    assert api.client.get(f"{question.path}?{query}", headers=HTML).status_code == 200
    assert status(api, question) is AskingStatus.WAITING
    wrong = api.client.get(f"{question.path}?confirm=1&approved=perhaps", headers=HTML)
    assert (wrong.status_code, status(api, question)) == (422, AskingStatus.WAITING)
    assert_problem(api.client.get(f"{question.path}?confirm=1"), 422, "invalid-answer")
    clicked = api.client.get(link, headers=HTML)
    assert (clicked.status_code, "Thank you" in clicked.text) == (200, True)
    assert_private(clicked)
    assert json.loads(kept(api, question)) == value
    assert api.client.get(link, headers=HTML).status_code == 409


def kept(api: Api, question: Question) -> str:
    """The answer on record."""
    with api.stage.database.read() as tx:
        return str(tx.value(Sql("select answer from hooks where id = :id"), {"id": question.id}))


def test_the_pages_form_answers_and_comes_back_with_what_is_wrong(api: Api) -> None:
    question = waiting(api.stage)
    page = api.client.get(f"{question.path}?approved=false&comment=later", headers=HTML)
    assert 'value="false" checked' in page.text
    assert 'value="later"' in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    wrong = api.client.post(question.path, data={**_FORM, "input.email": "nowhere"}, headers=HTML)
    assert wrong.status_code == 422
    assert "is not a valid e-mail address" in wrong.text
    assert 'value="nowhere"' in wrong.text
    assert status(api, question) is AskingStatus.WAITING
    assert api.client.post(question.path, data={"input.comment": "?"}, headers=HTML).status_code == 422
    done = api.client.post(question.path, data=_FORM, headers={**HTML, "Origin": "null"})
    assert (done.status_code, "Thank you" in done.text) == (200, True)
    assert json.loads(kept(api, question)) == {"approved": True, "comment": "fine"}


@pytest.mark.parametrize(
    ("schema", "form", "value"),
    [
        ({"type": "boolean"}, {"input.answer": "true"}, True), ({"type": "string"}, {"input.answer": "true"}, "true"),
        ({"type": "integer", "minimum": 3}, {"input.answer": "4"}, 4), ({}, {"input.answer": '{"a": [1]}'}, {"a": [1]}),
        ({"enum": ["yes", "no"]}, {"input.answer": '"no"'}, "no"),
        ({"type": "array", "items": {"type": "integer"}}, {"input.answer": "[1, 2]"}, [1, 2]),
        ({"type": "object", "properties": {"a.b": {"type": "string"}}}, {"input.answer": '{"a.b": "c"}'}, {"a.b": "c"}),
        (
            {"$ref": "#/$defs/D", "$defs": {"D": {"type": "string", "format": "date"}}}, {"input.answer": "2026-01-31"},
            "2026-01-31",
        ),
    ],
)  # fmt: skip
def test_every_schema_has_a_form(
    api: Api, schema: dict[str, Any], form: dict[str, str], value: object
) -> None:
    question = waiting(api.stage, schema=schema)
    page = api.client.get(question.path, headers=HTML)
    assert f'name="{next(iter(form))}"' in page.text
    answered = api.client.post(question.path, data=form, headers=HTML)
    assert answered.status_code == 200, answered.text
    assert json.loads(kept(api, question)) == value


def test_links_work_without_a_key_through_the_public_name(api: Api) -> None:
    question, other = waiting(api.stage), waiting(api.stage)
    outside: dict[str, Any] = {
        "headers": {"Host": "hooks.example.com", "Origin": "https://elsewhere.example.com"},
        "environ_overrides": {"REMOTE_ADDR": "203.0.113.9"},
    }
    assert api.client.get(question.path, **outside).status_code == 200
    assert api.client.post(question.path, json=YES, **outside).status_code == 200
    assert recorded_answer(api.stage, question).hook.answered_from == "203.0.113.9"
    assert_problem(api.client.get("/api/v1/hooks", **outside), 403)
    assert api.client.get("/hooks", **outside).status_code == 403
    api.key()
    assert api.client.post(other.path, json=YES, **outside).status_code == 200
    assert_problem(api.client.get("/api/v1/hooks", **outside), 401)


def test_the_list_tells_everything_but_the_link(api: Api) -> None:
    questions = [waiting(api.stage, f"hook-{number}") for number in range(3)]
    listed = api.get("/hooks?status=waiting&limit=2")
    assert listed.status_code == 200, listed.text
    assert [each["id"] for each in listed.json["data"]] == [questions[2].id, questions[1].id]
    first = listed.json["data"][0]
    assert (first["name"], first["run_id"], first["workflow"], first["step"]) == (
        "hook-2", questions[2].run_id, "greet", "hook:hook-2#0",
    )  # fmt: skip
    assert (first["schema"], first["status"], first["one_click"], first["awaited"]) == (
        APPROVAL,
        "waiting",
        False,
        True,
    )
    assert HOOK_TOKEN.search(listed.text) is None
    assert "url" not in first
    rest = api.get(f"/hooks?status=waiting&limit=2&cursor={listed.json['next_cursor']}")
    assert ([each["id"] for each in rest.json["data"]], rest.json["has_more"]) == ([questions[0].id], False)
    answer(api.stage, questions[0])
    assert [each["id"] for each in api.get(f"/hooks?run={questions[0].run_id}").json["data"]] == [
        questions[0].id
    ]
    assert api.get("/hooks?status=answered").json["data"][0]["answered_by"]["name"] == LINK_HOLDER.name
    for query in ("status=asleep", "limit=0", "cursor=x", "token=x", "run=nope"):
        assert_problem(api.get(f"/hooks?{query}"), 422, "invalid-request")


def test_keys_answer_by_id_as_far_as_they_may(api: Api) -> None:
    question = waiting(api.stage)
    path = f"/hooks/{question.id}/answer"
    viewer, runner, foreign = (
        api.key("viewer"),
        api.key("runner"),
        api.key("runner", organization="elsewhere"),
    )
    assert_problem(api.post(path, json=YES, headers=viewer), 403, "role-too-low")
    assert_problem(api.post(path, json=YES, headers=foreign), 404, "hook-not-found")
    assert_problem(api.post(path, json={}, headers=runner), 422, "invalid-answer")
    assert_problem(
        api.post(f"/hooks/{question.token}/answer", json=YES, headers=runner), 404, "hook-not-found"
    )
    answered = api.post(path, json=YES, headers=runner)
    assert (answered.status_code, answered.json["answered_by"]["type"]) == (200, "api_key")
    assert_problem(api.post(path, json=YES, headers=runner), 409, "hook-answered")
    assert api.get("/hooks", headers=foreign).json["data"] == []


def test_answers_are_as_the_document_describes_them(api: Api) -> None:
    question = waiting(api.stage)
    document: Any = api.client.get("/openapi.json").json
    assert not [path for path in document["paths"] if "token" in path], (
        "links are described in docs/http-api.md"
    )

    def fits(path: str, method: str, answered: TestResponse) -> None:
        described = document["paths"][path][method]["responses"][str(answered.status_code)]
        schema = described["content"][answered.mimetype]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answered.json)

    target = f"/hooks/{question.id}/answer"
    fits("/api/v1/hooks", "get", api.get("/hooks"))
    fits("/api/v1/hooks", "get", api.get("/hooks?status=x"))
    fits("/api/v1/hooks/{hook_id}/answer", "post", api.post("/hooks/hook_none/answer", json={}))
    fits("/api/v1/hooks/{hook_id}/answer", "post", api.post(target, json={}))
    fits("/api/v1/hooks/{hook_id}/answer", "post", api.post(target, json=YES))
    fits("/api/v1/hooks/{hook_id}/answer", "post", api.post(target, json=YES))
    fits("/api/v1/hooks", "get", api.get("/hooks?status=answered"))


def test_no_line_of_the_log_tells_the_token(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    question = waiting(api.stage)
    with caplog.at_level("DEBUG", "keystroke"):
        api.client.get(question.path, headers=HTML)
        api.client.get(question.path[:-1], headers=HTML)
        api.client.get(f"{question.path}/more", headers=HTML)
        api.client.post(question.path, json={})
        api.client.post(question.path, json=YES)
        api.client.get("/api/v1/hooks")
    assert question.token[:20] not in caplog.text
    assert "/api/v1/hooks" in caplog.text, "other requests are told"


def test_pages_list_and_answer_what_waits(api: Api) -> None:
    from support.pages import page, post, token

    assert "Nothing waits for an answer." in page(api, "/hooks")
    question = waiting(api.stage)
    for path in ("/hooks", f"/history/{question.run_id}", f"/hooks/{question.id}/answer"):
        text = page(api, path)
        assert f'action="/hooks/{question.id}/answer"' in text
        assert HOOK_TOKEN.search(text) is None
    assert f"<code>{question.run_id[-6:]}</code>" in page(api, "/hooks"), "which of the runs it is"
    csrf = token(page(api, "/hooks"))
    target = f"/hooks/{question.id}/answer"
    assert post(api, target, **{"input.approved": "true"}).status_code == 403, "a form of somebody else"
    wrong = post(api, target, csrf=csrf, **{"input.approved": "true", "input.email": "nowhere"})
    assert (wrong.status_code, "is not a valid e-mail address" in wrong.text) == (422, True)
    answered = post(api, target, csrf=csrf, back=f"/history/{question.run_id}", **{"input.approved": "true"})
    assert (answered.status_code, answered.headers["Location"]) == (303, f"/history/{question.run_id}")
    assert "Answered. The run goes on." in page(api, f"/history/{question.run_id}")
    again = post(api, target, csrf=csrf, **{"input.approved": "true"})
    assert (again.status_code, again.headers["Location"]) == (303, "/hooks")
    assert "answered already" in page(api, "/hooks")
    assert "answered already" in page(api, target)
    twin = api.client.get("/hooks?format=json")
    assert set(twin.json) == {"rows", "newest_url", "older_url", "empty", "notice"}


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)


def test_no_token_and_no_body_is_a_mistake_of_the_server(api: Api) -> None:
    """Whatever is sent, wherever: an answer of the server's own choosing, and the run waits or goes on."""
    question = waiting(api.stage, one_click=True)
    tokens = _WORDS.filter(lambda text: "/" not in text and text not in ("", ".", "..")) | st.just(
        question.token
    )
    bodies = st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()) | st.dictionaries(
        st.sampled_from(["input.approved", "input.comment", "input.email", "input"]) | _WORDS, _WORDS, max_size=4
    ).map(lambda fields: urlencode(fields).encode())  # fmt: skip
    kinds = st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""]
    )

    @given(tokens, bodies, kinds, st.sampled_from([HTML, {}]), st.dictionaries(_WORDS, _WORDS, max_size=3))
    @hypothesis_settings(max_examples=120, deadline=None)
    def sent(token: str, body: bytes, kind: str, headers: dict[str, str], query: dict[str, str]) -> None:
        from urllib.parse import quote

        path = f"/hooks/{quote(token, safe='')}"
        for answered in (
            api.client.post(path, data=body, content_type=kind, headers=headers),
            api.client.get(path, query_string={**query, "confirm": "1"}, headers=headers),
            api.post(f"/hooks/{quote(token, safe='')}/answer", data=body, content_type=kind),
        ):
            assert answered.status_code < 500, answered.text
            assert answered.status_code in (200, 400, 404, 409, 410, 413, 415, 422)

    sent()
