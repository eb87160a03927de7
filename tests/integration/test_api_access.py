"""Who may ask: keys, roles and scopes; without any key, this machine alone and no page of the web."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystroke.domain.manifest import Manifest
from keystroke.errors import InvalidSettings
from keystroke.operations.api_keys import create_api_key, revoke_api_key
from keystroke.operations.publish_deployment import publish_deployment
from keystroke_api.addresses import is_loopback_address, is_loopback_host
from support.api import RUNS, Api, assert_problem, open_api
from support.starts import GREET, Stage, publish

START: dict[str, Any] = {"json": {"input": {"name": "Ada"}}}


def from_address(address: str, **environ: str) -> dict[str, Any]:
    """Options of a request that comes from an address."""
    return {"environ_overrides": {"REMOTE_ADDR": address, **environ}}


# --- Without any key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_its_owner(api: Api, address: str) -> None:
    assert api.client.post(RUNS, **START, **from_address(address)).status_code == 202


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.2", "::ffff:10.0.0.1", "2001:db8::1", "", "localhost"]
)
def test_no_other_machine_is_served(api: Api, address: str) -> None:
    assert_problem(api.client.post(RUNS, **START, **from_address(address)), 403, "loopback-only")
    assert_problem(api.get("/runs", **from_address(address)), 403, "loopback-only")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:3002", "127.0.0.1:3002", "[::1]:3002", "[::1]", "LOCALHOST"]
)
def test_a_loopback_host_is_served(api: Api, host: str) -> None:
    assert api.get("/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:3002", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "[",
     "a@localhost:1", "localhost@evil.example", "localhost/x", "localhost?", "", "2130706433", "0.0.0.0", "localhost:"],
)  # fmt: skip
def test_a_name_that_was_bound_to_this_address_is_not(api: Api, host: str) -> None:
    assert_problem(api.get("/runs", headers={"Host": host}), 403, "foreign-host")


@pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:3002"])
def test_the_servers_own_pages_may_ask(api: Api, origin: str) -> None:
    host = origin.removeprefix("http://")
    assert api.client.post(RUNS, **START, headers={"Host": host, "Origin": origin}).status_code == 202


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:3003",
        "https://localhost:3002",
        "http://127.0.0.1:3002",
        "",
    ],
)
def test_pages_of_others_may_not(api: Api, origin: str) -> None:
    answer = api.client.post(RUNS, **START, headers={"Host": "localhost:3002", "Origin": origin})
    assert_problem(answer, 403, "foreign-origin")
    assert api.ids("") == []


def test_forwarded_addresses_of_strangers_do_not_count(api: Api) -> None:
    claim = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Forwarded-Proto": "https"}
    assert_problem(api.get("/runs", headers=claim, **from_address("10.0.0.1")), 403, "loopback-only")
    assert api.get("/runs", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 200


# --- Trusted proxies ----------------------------------------------------------------------------------------------


@pytest.fixture
def proxied(stage: Stage) -> Iterator[Api]:
    """An app behind proxies of this machine and of 10.0.0.0/8."""
    opened = open_api(stage, trusted_proxies=("127.0.0.1", "10.0.0.0/8"))
    yield opened
    opened.services.close()


@pytest.mark.parametrize(
    ("forwarded", "served"),
    [
        ("203.0.113.7", False),
        ("127.0.0.1, 203.0.113.7", False),
        ("203.0.113.7, 10.1.1.1", False),
        ("203.0.113.7, 127.0.0.1", False),
        ("garbage", False),
        ("127.0.0.1", True),
        ("", True),
    ],
)
def test_the_caller_is_whom_the_last_trusted_proxy_saw(proxied: Api, forwarded: str, served: bool) -> None:
    answer = proxied.get("/runs", headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == (200 if served else 403)


def test_links_carry_the_scheme_and_host_that_the_proxy_saw(proxied: Api) -> None:
    headers = {**proxied.key(), "X-Forwarded-Proto": "https", "X-Forwarded-Host": "keys.example"}
    assert proxied.start(**headers).json["url"].startswith("https://keys.example/")
    answer = proxied.client.post(RUNS, **START, headers=headers, **from_address("203.0.113.7"))
    assert answer.json["url"].startswith("http://localhost/")


def test_a_proxy_that_is_no_address_is_named(stage: Stage) -> None:
    with pytest.raises(InvalidSettings, match="TRUSTED_PROXIES"):
        open_api(stage, trusted_proxies=("proxy.internal",))


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "127.255.255.254"])
def test_loopback_addresses(text: str) -> None:
    assert is_loopback_address(text)


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [
        ("127.0.0.1:3002", True),
        ("localhost:80", True),
        ("[::1]:80", True),
        ("0.0.0.0:3002", False),
        (":3002", False),
        ("[::]:3002", False),
        ("host:1", False),
    ],
)
def test_what_listens_beyond_this_machine(listen: str, loopback: bool) -> None:
    assert is_loopback_host(listen) is loopback


# --- With keys ----------------------------------------------------------------------------------------------------


def test_with_a_key_about_nobody_is_served_without(api: Api) -> None:
    key = api.key()
    answer = api.get("/runs")
    assert_problem(answer, 401, "api-key-missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert api.get("/runs", headers=key).status_code == 200
    assert (
        api.get("/runs", headers={"x-api-key": key["Authorization"].removeprefix("Bearer ")}).status_code
        == 200
    )


def test_with_a_key_address_host_and_origin_do_not_matter(api: Api) -> None:
    headers = {**api.key(), "Host": "keys.example", "Origin": "https://elsewhere.example"}
    assert api.get("/runs", headers=headers, **from_address("203.0.113.7")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer ks_wrong"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": "Basic a3M6a3M="}, {"x-api-key": ""}, {"x-api-key": "k\u00e9y"},
        {"Authorization": "Bearer " + "k" * 10_000},
        {"Authorization": "Bearer ' or 1=1 --"}, {"x-api-key": "ks_\x7f"},
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(api: Api, headers: dict[str, str]) -> None:
    assert_problem(api.get("/runs", headers=headers), 401, "api-key-refused")
    api.key()
    assert_problem(api.client.post(RUNS, **START, headers=headers), 401, "api-key-refused")


def test_revoking_works_at_once(api: Api) -> None:
    api.key()
    made = create_api_key(api.stage.database, "default", "short lived", "admin", None, None)
    headers = {"Authorization": f"bearer {made.key}"}
    assert api.get("/runs", headers=headers).status_code == 200
    revoke_api_key(api.stage.database, "default", made.id)
    assert_problem(api.get("/runs", headers=headers), 401, "api-key-refused")


def test_an_expired_key_is_refused(api: Api) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    made = create_api_key(api.stage.database, "default", "old", "admin", None, past)
    assert_problem(api.get("/runs", headers={"Authorization": f"Bearer {made.key}"}), 401, "api-key-refused")


def test_a_viewer_reads_and_no_more(api: Api) -> None:
    run_id = api.stage.start().run_id
    viewer, runner = api.key("viewer"), api.key("runner")
    for path in ("/runs", f"/runs/{run_id}", f"/runs/{run_id}/logs", "/projects", "/projects/demo/workflows"):
        assert api.get(path, headers=viewer).status_code == 200
    for path in (RUNS, f"{RUNS}:batch", "/workflows/greet", f"/api/v1/runs/{run_id}/cancel"):
        assert_problem(api.client.post(path, json={}, headers=viewer), 403, "role-too-low")
    assert api.client.post(RUNS, **START, headers=runner).status_code == 202
    assert api.post(f"/runs/{run_id}/cancel", headers=runner).status_code == 202


def test_the_key_is_the_actor(api: Api) -> None:
    made = create_api_key(api.stage.database, "default", "billing service", "runner", None, None)
    answer = api.client.post(RUNS, **START, headers={"Authorization": f"Bearer {made.key}"})
    actor = api.stage.run(answer.json["run_id"]).actor
    assert (actor.type, actor.id, actor.name) == ("api_key", made.id, "billing service")


def test_another_organization_does_not_exist(api: Api) -> None:
    database = api.stage.database
    publish_deployment(database, Manifest("rivals", "theirs", "x", None, {"greet": GREET}))
    run_id = api.stage.start().run_id
    rival = api.key(organization="rivals")
    assert api.get("/runs", headers=rival).json["data"] == []
    assert api.get(f"/runs?q={run_id}", headers=rival).json["data"] == []
    assert [each["slug"] for each in api.get("/projects", headers=rival).json["data"]] == ["theirs"]
    for path in (f"/runs/{run_id}", f"/runs/{run_id}/logs", f"/runs/{run_id}/spans", f"/runs/{run_id[:20]}"):
        assert_problem(api.get(path, headers=rival), 404, "run-not-found")
    assert_problem(api.post(f"/runs/{run_id}/cancel", headers=rival), 404, "run-not-found")
    assert_problem(api.client.post(RUNS, **START, headers=rival), 404, "project-not-found")
    assert_problem(api.get("/projects/demo/workflows", headers=rival), 404, "project-not-found")


def test_a_key_of_a_project_sees_that_project_alone(api: Api) -> None:
    publish(api.stage.database, GREET, project="other")
    run_id = api.stage.start().run_id
    other = api.key(project="other")
    assert api.get("/runs", headers=other).json["data"] == []
    assert_problem(api.get(f"/runs/{run_id}", headers=other), 404, "run-not-found")
    assert_problem(api.post(f"/runs/{run_id}/cancel", headers=other), 404, "run-not-found")
    assert_problem(api.client.post(RUNS, **START, headers=other), 404, "project-not-found")
    assert api.post("/projects/other/workflows/greet/runs", **START, headers=other).status_code == 202


def test_what_is_open_needs_no_key(api: Api) -> None:
    api.key()
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert api.client.get(path, **from_address("203.0.113.7")).status_code == 200


# --- Every answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/runs", "/nope", "/api/v1/runs?x=1"])
def test_every_answer_is_careful_with_browsers(api: Api, path: str) -> None:
    headers = api.client.get(path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers


def test_a_request_id_is_kept_where_it_is_harmless(api: Api) -> None:
    assert api.client.get("/nope", headers={"X-Request-Id": "abc-1"}).json["request_id"] == "abc-1"
    for odd in ("a b", "<b>", "x" * 101, ""):
        answer = api.client.get("/nope", headers={"X-Request-Id": odd})
        assert answer.json["request_id"].startswith("req_")
