"""`/mcp` in the test's own process: who is let in, what is no message, and what the first request costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystroke.domain.manifest import WorkflowManifest
from keystroke.settings import Settings
from keystroke.store import Database
from support.api import Api, assert_problem, open_api
from support.starts import GREET, make_stage, publish

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

_ACCEPT = {"Accept": "application/json, text/event-stream"}
_MODERN = {**_ACCEPT, "MCP-Protocol-Version": "2026-07-28"}
_LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture
def tools(sqlite_settings: Settings) -> Iterator[Api]:
    """An API whose workflow `ask` is a tool, and `greet` is none."""
    database = Database.from_settings(sqlite_settings)
    ask = WorkflowManifest("ask", "Ask", "Asks.", {"type": "object"}, {}, tool=True)
    opened = open_api(make_stage(database, sqlite_settings, GREET, ask), tool_wait=0.05, streams=1)
    yield opened
    opened.services.close()
    database.close()


def send(api: Api, message: Any, **headers: str) -> TestResponse:
    """The answer to a message, or to a body of bytes."""
    body = message if isinstance(message, bytes) else json.dumps(message)
    return api.client.post(
        "/mcp", data=body, headers={"Content-Type": "application/json", **_ACCEPT, **headers}
    )


def call(api: Api, tool: str, arguments: Any = None, **headers: str) -> Any:
    """The result of a call."""
    params = {"name": tool, "arguments": arguments or {}}
    answer = send(api, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, **headers)
    assert answer.status_code == 200, answer.text
    document: Any = answer.json
    return document["result"]


def test_without_keys_only_this_machine_is_served_by_its_own_name(tools: Api) -> None:
    assert send(tools, _LIST).status_code == 200
    assert send(tools, _LIST, Origin="http://localhost").status_code == 200
    assert_problem(send(tools, _LIST, Host="rebound.example"), 403, "foreign-host")
    assert_problem(send(tools, _LIST, Origin="https://evil.example"), 403, "foreign-origin")
    assert_problem(send(tools, _LIST, Origin="null"), 403, "foreign-origin")
    far = tools.client.post(
        "/mcp", json=_LIST, headers=_ACCEPT, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}
    )
    assert_problem(far, 403, "loopback-only")
    assert_problem(tools.client.post("/mcp", data="{}", headers={"Content-Type": "text/plain"}), 415)


def test_with_keys_one_is_asked_for(tools: Api) -> None:
    key = tools.key("viewer")
    assert_problem(send(tools, _LIST), 401, "api-key-missing")
    assert_problem(send(tools, _LIST, Authorization="Bearer ks_wrong"), 401, "api-key-refused")
    assert send(tools, _LIST, **key).status_code == 200
    assert (
        send(tools, _LIST, **{"x-api-key": key["Authorization"].removeprefix("Bearer ")}).status_code == 200
    )
    elsewhere = tools.key("runner", organization="elsewhere")
    listed: Any = send(tools, _LIST, **elsewhere).json
    assert "ask" not in {tool["name"] for tool in listed["result"]["tools"]}


def test_there_are_no_streams_and_no_sessions(tools: Api) -> None:
    for method in ("GET", "DELETE", "PUT", "OPTIONS"):
        refused = tools.client.open("/mcp", method=method)
        assert_problem(refused, 405)
        assert refused.headers["Allow"] == "POST"
    assert send(tools, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    answer = send(tools, _LIST)
    assert answer.mimetype == "application/json"
    assert "Mcp-Session-Id" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", -32700), (b'{"id": NaN}', -32700), (b"", -32700), (b"[]", -32600), (b'{"jsonrpc": "2.0"}', -32600),
     (b'{"jsonrpc": "2.0", "id": 1, "result": {}}', -32600), (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600)],
)  # fmt: skip
def test_what_is_no_message_is_told_so(tools: Api, body: bytes, code: int) -> None:
    for headers in (_ACCEPT, _MODERN):
        answer = send(tools, body, **headers)
        document: Any = answer.json
        assert (answer.status_code, document["id"], document["error"]["code"]) == (400, None, code)


def test_many_tools_come_in_parts_each_by_a_name_of_its_own(tools: Api) -> None:
    many = [WorkflowManifest(f"tool-{number}", "", "", {}, {}, tool=True) for number in range(450)]
    publish(tools.stage.database, *many, project="second")
    names, cursor, parts = [], "", 0
    while cursor is not None:
        answer: Any = send(tools, {**_LIST, "params": {"cursor": cursor} if cursor else {}}).json
        names += [tool["name"] for tool in answer["result"]["tools"]]
        cursor, parts = answer["result"].get("nextCursor"), parts + 1
    assert parts == 3
    assert len(set(names)) == len(names) == 4 + 1 + 450
    assert {"get_run", "ask", "second__tool-449"} <= set(names), "the oldest project is the default one"
    for name in ("demo__ask", "second__tool-449"):
        assert call(tools, name)["structuredContent"]["status"] == "queued"
    refused: Any = send(tools, {**_LIST, "params": {"cursor": "x"}}).json
    assert refused["error"]["code"] == -32602


def test_what_is_too_large_is_not_read(tools: Api) -> None:
    limit = tools.services.settings.payload_limit
    assert_problem(send(tools, b" " * (limit + 100_000)), 413, "body-too-large")
    result = call(tools, "ask", {"text": "x" * (limit + 1)})
    assert result["isError"]
    assert result["structuredContent"]["type"] == "urn:keystroke:problem:payload-too-large"


def test_a_call_beyond_the_quota_of_waits_answers_at_once(tools: Api) -> None:
    class Follower:
        def look(self, _tx: Any) -> None: ...

        def end(self) -> None: ...

    follower = Follower()
    assert tools.services.waits.follow(follower)
    result = call(tools, "ask")
    tools.services.waits.unfollow(follower)
    assert result["structuredContent"]["status"] == "queued"
    assert result["structuredContent"]["run_id"] in json.dumps(tools.ids("trigger=workflow_tool"))


def test_our_own_mistakes_tell_no_internals(tools: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("the inner life of the server")

    call(tools, "ask")
    monkeypatch.setattr("keystroke_api.mcp.workflow_tool.start", fail)
    result = call(tools, "ask")
    assert result["isError"]
    assert "inner life" not in json.dumps(result)
    assert result["structuredContent"]["type"] == "urn:keystroke:problem:internal-error"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_METHODS = st.sampled_from(
    ["initialize", "ping", "tools/list", "tools/call", "server/discover", "subscriptions/listen", "resources/list",
     "logging/setLevel", "notifications/cancelled", "x"]
) | st.text(max_size=10)  # fmt: skip
_TOOLS = st.sampled_from(
    ["list_runs", "get_run", "cancel_run", "replay_run", "ask", "greet", "demo__greet", "\x00"]
)
_RUNS = st.text() | st.sampled_from(["run_", "run_0", "run_\x00"])
_PARAMS = _JSON | st.fixed_dictionaries({
    "name": _TOOLS | _JSON,
    "arguments": _JSON | st.fixed_dictionaries({"run_id": _RUNS | _JSON}) | st.fixed_dictionaries(
        {}, optional={"status": _JSON, "q": _JSON, "tag": _JSON, "min_cost": _JSON, "cursor": _JSON, "limit": _JSON}
    ),
    "cursor": st.text(max_size=5),
})  # fmt: skip
_ENVELOPE = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": _METHODS, "params": _PARAMS}, optional={"id": _JSON | st.just(1)}
)
_BODIES = st.binary(max_size=200) | (_JSON | _ENVELOPE | st.lists(_ENVELOPE, max_size=2)).map(
    lambda value: json.dumps(value).encode()
)


def test_garbage_is_never_our_mistake(tools: Api, caplog: pytest.LogCaptureFixture) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=_BODIES, modern=st.booleans())
    def throw(body: bytes, modern: bool) -> None:
        headers = _MODERN if modern else _ACCEPT
        answer = send(tools, body, **headers)
        assert answer.status_code < 500, answer.text
        assert "Traceback" not in answer.text

    throw()
    named = {"name": "get_run", "arguments": {"run_id": "run_0"}, "_meta": meta}
    headers = {**_MODERN, "MCP-Method": "tools/call", "MCP-Name": "get_run"}
    good = send(tools, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": named}, **headers)
    assert good.status_code == 200, good.text
    assert "Traceback" not in caplog.text


def test_nobody_who_asks_for_no_tool_waits_for_the_sdk() -> None:
    """Neither the command line nor an API that starts loads it."""
    for module in ("keystroke.cli.main", "keystroke_api.main"):
        loaded = f"import sys, {module}; sys.exit('mcp' in sys.modules or 'a2wsgi' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0, module
