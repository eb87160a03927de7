"""Workflows as pages: the list, the form made of the input's schema, starting with it; and the page of the API."""

from __future__ import annotations

import re

import pytest

from keystroke.domain.states import Status
from keystroke_api.ui.schema_fields import entered_value, fields_of, fits_form
from support.api import Api
from support.pages import HTML, page, post, token
from support.showcase import SIGNUP_SCHEMA, Showcase

Show = tuple[Api, Showcase]
START = "/workflows/signup-pipeline/start"


def test_the_list_shows_how_each_has_been_doing(show: Show) -> None:
    api, showcase = show
    showcase.fill()
    text = page(api, "/workflows")
    for shown in (
        "Signup pipeline",
        "signup-pipeline",
        "100 % of 1 run succeeded",
        "50 % of 2 runs succeeded",
    ):
        assert shown in text


def test_the_form_has_a_field_for_each_property(show: Show) -> None:
    api, _ = show
    text = page(api, "/workflows/signup-pipeline")
    names = re.findall(r'name="(input\.[\w.]+)"', text)
    assert names == [
        "input.name", "input.email", "input.seats", "input.plan", "input.newsletter", "input.password",
        "input.address.city", "input.address.zip", "input.labels",
    ]  # fmt: skip
    assert "Who signed up." in text


def test_a_form_starts_a_run_with_values_of_the_right_types(show: Show) -> None:
    api, _ = show
    fields = {
        "input.name": "Ada", "input.email": "ada@example.com", "input.seats": "9007199254740993", "input.plan": '"free"',
        "input.address.city": "London", "input.labels": '["a", "b"]', "project": "demo",
    }  # fmt: skip
    answer = post(api, START, csrf=token(page(api, "/workflows/signup-pipeline")), **fields)
    assert answer.status_code == 303
    run = api.stage.run(answer.headers["Location"].removeprefix("/history/"))
    assert run.input == {
        "name": "Ada", "email": "ada@example.com", "seats": 9_007_199_254_740_993, "plan": "free", "newsletter": False,
        "address": {"city": "London"}, "labels": ["a", "b"],
    }  # fmt: skip
    assert (run.status, run.trigger.label) == (Status.QUEUED, "Web app")
    assert "Started." in page(api, answer.headers["Location"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"input.email": "ada@example.com"}, "This is needed."),
        ({"input.name": "Ada", "input.email": "nowhere"}, "is not a"),
        ({"input.name": "Ada", "input.email": "a@b.de", "input.seats": "many"}, "is not of type"),
        ({"input.name": "Ada", "input.email": "a@b.de", "input.seats": "0"}, "minimum"),
        ({"input.name": "Ada", "input.email": "a@b.de", "input.labels": "[1"}, "This is not JSON"),
        ({"input.name": "Ada", "input.email": "a@b.de", "input.labels": "[1]"}, "is not of type"),
        ({"json": "{"}, "not JSON"),
        ({"json": "[" * 5_000 + "]" * 5_000}, "nested"),
        ({"json": '{"name": "Ada"}'}, "required property"),
        ({"json": '{"name": "\\ud800", "email": "a@b.de"}'}, "surrogate"),
    ],
)
def test_what_does_not_fit_comes_back_with_the_reason(show: Show, fields: dict[str, str], said: str) -> None:
    api, _ = show
    answer = post(api, START, csrf=token(page(api, "/workflows/signup-pipeline")), **fields)
    assert answer.status_code == 422
    assert said in answer.text
    for name, value in fields.items():
        if name != "json" and '"' not in value:
            assert f'value="{value}"' in answer.text or f">{value}<" in answer.text, "nothing typed is lost"
    assert "run_" not in page(api, "/history").partition("<tbody>")[2]


def test_a_secret_is_never_sent_back(show: Show) -> None:
    api, _ = show
    answer = post(
        api, START, csrf=token(page(api, "/workflows/signup-pipeline")), **{"input.password": "hunter2"}
    )
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


def test_a_viewer_may_look_and_not_start(show: Show) -> None:
    api, _ = show
    viewer = api.key("viewer")
    text = page(api, "/workflows/signup-pipeline", **viewer)
    assert '<form class="start"' not in text
    assert api.client.post(START, headers={**HTML, **viewer}).status_code == 403


def test_a_schema_that_is_no_object_is_entered_as_json(show: Show) -> None:
    api, _ = show
    text = page(api, "/workflows/charge-card")
    assert '<textarea id="json"' in text
    answer = post(api, "/workflows/charge-card/start", csrf=token(text), json='[1, {"x": null}]')
    assert api.stage.run(answer.headers["Location"].removeprefix("/history/")).input == [1, {"x": None}]


@pytest.mark.parametrize(
    "schema",
    [
        {}, {"type": "array"}, {"type": "object"}, {"type": "object", "properties": {"a.b": {}}},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
)  # fmt: skip
def test_what_no_form_could_carry(schema: dict[str, object]) -> None:
    assert not fits_form(schema)


def test_references_that_go_in_circles_end() -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}
    schema = {**node, "$defs": {"Node": node, "Loop": {"$ref": "#/$defs/Loop"}}}
    [outer] = fields_of(schema)
    [inner] = outer.fields
    assert (outer.kind, inner.kind) == ("group", "group")
    assert inner.fields[0].kind == "json"
    schema["properties"] = {"x": {"$ref": "#/$defs/Loop"}}
    assert fields_of(schema)[0].kind == "json"


def test_fields_that_are_left_empty_are_left_out() -> None:
    value, errors = entered_value(SIGNUP_SCHEMA, {"input.name": "Ada", "input.email": "a@b.de"})
    assert value == {"name": "Ada", "email": "a@b.de", "newsletter": False}
    assert errors == {}


def test_the_reference_names_every_route(api: Api) -> None:
    text = page(api, "/docs")
    for path, methods in api.client.get("/openapi.json").json["paths"].items():
        assert path.replace("{", "{") in text
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in text


def test_assets_are_kept_for_ever_under_their_digest_only(api: Api) -> None:
    found = re.search(r'href="(/static/\w+)/keystroke.css"', page(api, "/history"))
    assert found
    for name in ("keystroke.css", "keystroke.js", "icon.svg"):
        answer = api.client.get(f"{found[1]}/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert api.client.get("/static/old/keystroke.css").headers["Cache-Control"] == "no-cache"
    for path in ("/static/x/../app.py", "/static/x/nothing.js", "/static/x/%2e%2e%2fapp.py"):
        assert api.client.get(path).status_code == 404
