"""Bad input of every kind, to every route: the answer is a 4xx problem document, nothing is recorded, nothing is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystroke.store import Database
from support.api import RUNS, Api, assert_problem, open_api
from support.starts import GREET, make_stage

JSON = {"Content-Type": "application/json"}
DEEP = 100_000
BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "half an object": (b'{"input": {"name": "Ada"}', 400),
    "two values": (b"{} {}", 400),
    "single quotes": (b"{'input': 1}", 400),
    "a comment": (b'{"input": 1} // no', 400),
    "a trailing comma": (b'{"input": {"name": "Ada",}}', 400),
    "not UTF-8": (b'{"input": "\xff"}', 400),
    "UTF-16": ('{"input": 1}'.encode("utf-16"), 400),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400),
    "UTF-8 of a surrogate": (b'{"input": "\xed\xa0\x80"}', 400),
    "a NUL between": (b'{"input":\x00 1}', 400),
    "a bare control character": (b'{"input": "\x01"}', 400),
    "NaN": (b'{"input": {"name": "Ada", "age": NaN}}', 400),
    "Infinity": (b'{"input": {"name": "Ada", "age": Infinity}}', 400),
    "minus Infinity": (b'{"input": {"name": "Ada", "age": -Infinity}}', 400),
    "a name twice": (b'{"input": {"name": "Ada", "name": "Bob"}}', 400),
    "a field twice": (b'{"input": {"name": "Ada"}, "input": {"name": "Bob"}}', 400),
    "a number beyond floats": (b'{"input": {"name": "Ada", "age": 1e999}}', 400),
    "an integer of 5,000 digits": (b'{"input": {"name": "Ada", "age": ' + b"9" * 5000 + b"}}", 400),
    "an array": (b"[]", 422),
    "a text": (b'"x"', 422),
    "null": (b"null", 422),
    "a number": (b"1", 422),
    "deep arrays": (b'{"input": ' + b"[" * DEEP + b"]" * DEEP + b"}", 422),
    "deep objects": (b'{"input": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}", 422),
    "201 levels": (b'{"input": {"name": "Ada", "x": ' + b"[" * 201 + b"]" * 201 + b"}}", 422),
    "arrays that never close": (b"[" * DEEP, 422),
    "a lone surrogate": (b'{"input": {"name": "\\ud800"}}', 422),
    "a lone surrogate in a name": (b'{"input": {"name": "Ada", "\\udfff": 1}}', 422),
    "a surrogate in a tag": (b'{"input": {"name": "Ada"}, "tags": {"a": "\\uD83D"}}', 422),
    "a NUL in a tag": (b'{"input": {"name": "Ada"}, "tags": {"a": "\\u0000"}}', 422),
    "a NUL in a tag's name": (b'{"input": {"name": "Ada"}, "tags": {"\\u0000": "a"}}', 422),
    "a tag that is no text": (b'{"input": {"name": "Ada"}, "tags": {"a": 1}}', 422),
    "a tag without a name": (b'{"input": {"name": "Ada"}, "tags": {"": "a"}}', 422),
    "tags as a list": (b'{"input": {"name": "Ada"}, "tags": ["a"]}', 422),
    "too many tags": (json.dumps({"input": {"name": "A"}, "tags": {str(at): "" for at in range(51)}}).encode(), 422),
    "a long tag": (json.dumps({"input": {"name": "A"}, "tags": {"a": "x" * 501}}).encode(), 422),
    "an unknown field": (b'{"input": {"name": "Ada"}, "when": "now"}', 422),
    "priority as text": (b'{"input": {"name": "Ada"}, "priority": "5"}', 422),
    "priority as a boolean": (b'{"input": {"name": "Ada"}, "priority": true}', 422),
    "priority with a fraction": (b'{"input": {"name": "Ada"}, "priority": 1.5}', 422),
    "priority out of range": (b'{"input": {"name": "Ada"}, "priority": 11}', 422),
    "priority beyond 64 bits": (b'{"input": {"name": "Ada"}, "priority": 99999999999999999999}', 422),
    "run_at without a zone": (b'{"input": {"name": "Ada"}, "run_at": "2026-11-23T20:00:00"}', 422),
    "run_at as a number": (b'{"input": {"name": "Ada"}, "run_at": 1700000000}', 422),
    "run_at in the year 1": (b'{"input": {"name": "Ada"}, "run_at": "0001-01-01T00:00:00+14:00"}', 422),
    "run_at in the year 9999": (b'{"input": {"name": "Ada"}, "run_at": "9999-12-31T23:59:59-14:00"}', 422),
    "run_at in words": (b'{"input": {"name": "Ada"}, "run_at": "tomorrow"}', 422),
    "run_at on the 30th of February": (b'{"input": {"name": "Ada"}, "run_at": "2026-02-30T00:00:00Z"}', 422),
    "no input": (b"{}", 422),
    "input of another type": (b'{"input": ["Ada"]}', 422),
    "an address that is none": (b'{"input": {"name": "Ada", "email": "\\u0000@x"}}', 422),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=list(BODIES))
def test_a_start_with_a_bad_body_is_refused(api: Api, body: bytes, status: int) -> None:
    assert_problem(api.client.post(RUNS, data=body, headers=JSON), status)
    assert api.ids("") == []


@pytest.mark.parametrize(
    "path", [f"{RUNS}:batch", "/workflows/greet", "/api/v1/runs/run_00000000000000000000000000/cancel"]
)
@pytest.mark.parametrize(
    "name", ["half an object", "not UTF-8", "NaN", "a name twice", "deep arrays", "a lone surrogate"]
)
def test_every_route_with_a_body_refuses_it(api: Api, path: str, name: str) -> None:
    answer = api.client.post(path, data=BODIES[name][0], headers=JSON)
    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "name", ["Ada \x00 \x01", "\U0001f600", "ein Ärgernis", "<b>'; drop table runs", "e\u0301\u202e"]
)
def test_odd_text_is_kept_as_it_is(api: Api, name: str) -> None:
    run_id = api.client.post(RUNS, json={"input": {"name": name}}).json["run_id"]
    assert api.get(f"/runs/{run_id}").json["input"] == {"name": name}


@pytest.mark.parametrize(
    "number", ["9" * 1000, "1e308", "-0.0", "1" + "0" * 400, "5e-324", "123456789012345678901234567890"]
)
def test_numbers_that_json_allows_are_kept(api: Api, number: str) -> None:
    body = f'{{"input": {{"name": "Ada", "n": {number}}}}}'.encode()
    run_id = api.client.post(RUNS, data=body, headers=JSON).json["run_id"]
    assert api.get(f"/runs/{run_id}").json["input"]["n"] == json.loads(number)


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "json",
    ],
)
def test_only_json_is_a_body(api: Api, media_type: str | None) -> None:
    for path in (RUNS, f"{RUNS}:batch", "/workflows/greet", "/api/v1/runs/run_x/cancel"):
        answer = api.client.post(path, data=b'{"name": "Ada"}', content_type=media_type)
        assert_problem(answer, 415, "unsupported-media-type")
    assert api.ids("") == []


def test_a_charset_does_no_harm(api: Api) -> None:
    answer = api.client.post(
        "/workflows/greet", data=b'{"name": "Ada"}', content_type="application/json; charset=utf-8"
    )
    assert answer.status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\tb"])
def test_a_bad_idempotency_key_is_refused(api: Api, key: str) -> None:
    document = assert_problem(api.start(**{"Idempotency-Key": key}), 422, "invalid-request")
    assert document["errors"][0]["path"] == "$.Idempotency-Key"


@pytest.mark.parametrize("query", ["x=1", "%00=%00", "input=1", "a&b&c"])
def test_no_route_takes_parameters_that_it_does_not_know(api: Api, query: str) -> None:
    assert_problem(
        api.client.post(f"{RUNS}?{query}", json={"input": {"name": "Ada"}}), 422, "invalid-request"
    )
    assert_problem(api.get(f"/projects?{query}"), 422, "invalid-request")


@pytest.mark.parametrize(
    "slug", ["%00", "a%00b", "%ED%A0%80", "%FF", "..%2F..", "<script>", "x" * 5000, "%0d%0aX-Evil:%201"]
)
def test_a_slug_that_no_project_or_workflow_has(api: Api, slug: str) -> None:
    for path in (f"/projects/{slug}/workflows", f"/projects/demo/workflows/{slug}"):
        answer = api.get(path)
        assert_problem(answer, 404)
        assert "X-Evil" not in answer.headers
    assert_problem(api.post(f"/projects/{slug}/workflows/greet/runs", json={}), 404)
    assert_problem(api.post(f"/projects/demo/workflows/{slug}/runs", json={}), 404)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", RUNS, "POST"),
        ("GET", f"{RUNS}:batch", "POST"),
        ("DELETE", "/api/v1/runs", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", RUNS, "POST"),
        ("TRACE", "/api/v1/runs", "GET, HEAD"),
        ("BREW", "/api/v1/runs", "GET, HEAD"),
    ],
)
def test_a_method_that_a_route_does_not_have(api: Api, method: str, path: str, allow: str) -> None:
    answer = api.client.open(path, method=method)
    assert_problem(answer, 405, "method-not-allowed")
    assert sorted(answer.headers["Allow"].split(", ")) == sorted(allow.split(", "))


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/runs/",
        "/api/v1//runs",
        "/api/v2/runs",
        "/%00",
        "/api/openapi",
    ],
)
def test_paths_that_do_not_exist(api: Api, path: str) -> None:
    assert_problem(api.client.get(path), 404, "not-found")


def test_what_is_not_there_is_named(api: Api) -> None:
    unknown = assert_problem(api.client.get("/api/v1/nope"), 404, "not-found")
    assert unknown["detail"] == "There is nothing at /api/v1/nope; /openapi.json lists what there is."
    other = assert_problem(api.client.put("/api/v1/runs"), 405, "method-not-allowed")
    assert other["detail"].startswith("PUT is not a method of /api/v1/runs")


@pytest.mark.parametrize(("value", "named"), [(None, "null"), (True, "true"), ([], "[]")])
def test_a_value_is_named_as_it_was_sent(api: Api, value: Any, named: str) -> None:
    answer = api.post("/projects/demo/workflows/greet/runs", json={"input": value})
    problem = assert_problem(answer, 422, "invalid-input")
    assert problem["errors"] == [{"path": "$", "message": f"{named} is not of type 'object'"}]


def test_a_mistake_of_ours_tells_nothing_of_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("postgresql://user:password@host")

    monkeypatch.setattr("keystroke.store.history.list_runs", fail)
    document = assert_problem(api.get("/runs"), 500, "internal-error")
    assert "password" not in json.dumps(document)


# --- Anything at all ----------------------------------------------------------------------------------------------

_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
_start = st.fixed_dictionaries(
    {},
    optional={
        "input": _any_json | st.fixed_dictionaries({"name": st.text(), "email": st.text()}),
        "tags": _any_json | st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
        "priority": st.integers() | _any_json, "run_at": st.datetimes().map(str) | _any_json, "runs": st.lists(_any_json),
    },
)  # fmt: skip
_body = (
    st.binary(max_size=200)
    | _any_json.map(json.dumps).map(str.encode)
    | _start.map(json.dumps).map(str.encode)
)
_segment = st.sampled_from(["demo", "greet", "run_" + "0" * 26]) | st.text(
    st.characters(codec="utf-8", exclude_characters="/?#"), min_size=1, max_size=40
)
_paths = st.sampled_from([
    "/api/v1/projects/{0}/workflows/{1}/runs", "/api/v1/projects/{0}/workflows/{1}/runs:batch", "/workflows/{0}",
    "/api/v1/projects", "/api/v1/projects/{0}/workflows", "/api/v1/projects/{0}/workflows/{1}", "/api/v1/runs",
    "/api/v1/runs/{0}", "/api/v1/runs/{0}/logs", "/api/v1/runs/{0}/spans", "/api/v1/runs/{0}/cancel",
    "/api/v1/{0}", "/api/{0}/{1}",
])  # fmt: skip
_filters = st.sampled_from([
    "status", "kind", "project", "workflow", "trigger", "actor", "model", "service", "tag", "deployment", "error", "parent",
    "min_cost", "max_cost", "min_duration", "max_duration", "min_steps", "max_steps", "since", "until", "q", "limit",
    "cursor", "include",
])  # fmt: skip
_value = (
    st.text(st.characters(codec="utf-8"))
    | st.integers().map(str)
    | st.floats().map(str)
    | st.datetimes().map(str)
)
_query = st.lists(st.tuples(_filters | st.text(st.characters(codec="utf-8"), max_size=5), _value), max_size=3)
_header_value = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30
)
_headers = st.dictionaries(
    st.sampled_from(
        [
            "Idempotency-Key",
            "traceparent",
            "X-Keystroke-Client",
            "X-Request-Id",
            "Accept",
            "Cookie",
            "X-Api-Key",
            "Authorization",
        ]
    ),
    _header_value,
    max_size=2,
)


@pytest.fixture(scope="module")
def any_api(migrated_sqlite: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One app for all examples: what one leaves behind must not break another."""
    import shutil

    from keystroke.settings import Settings

    path = tmp_path_factory.mktemp("any") / "keystroke.db"
    shutil.copyfile(migrated_sqlite, path)
    chosen = Settings(
        database_url=f"sqlite:///{path}", secret_key=("k",), project="demo", sqlite_synchronous="NORMAL"
    )
    database = Database.from_settings(chosen)
    opened = open_api(make_stage(database, chosen, GREET))
    yield opened
    opened.services.close()
    database.close()


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]), path=_paths,
    segments=st.tuples(_segment, _segment), query=_query, headers=_headers, body=_body, is_json=st.booleans(),
)  # fmt: skip
def test_nothing_that_is_sent_is_our_mistake(
    any_api: Api, method: str, path: str, segments: tuple[str, str], query: list[tuple[str, str]],
    headers: dict[str, str], body: bytes, is_json: bool,
) -> None:  # fmt: skip
    answer = any_api.client.open(
        path.format(*segments), method=method, query_string=query, headers=headers,
        data=body if method != "GET" else None, content_type="application/json" if is_json else None,
    )  # fmt: skip
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert_problem(answer, answer.status_code)
