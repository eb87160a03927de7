"""The OpenAPI document: true of every route, and every answer true to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from keystroke.domain.outcome import Failed, Failure
from keystroke.domain.states import Reason
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.operations.record_step import record_step
from support.api import RUNS, Api
from support.starts import GREET


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    """The document as it is served."""
    served: dict[str, Any] = api.client.get("/openapi.json").json
    return served


def fits(document: dict[str, Any], path: str, method: str, answer: Any) -> None:
    """The answer has a status that the document names, and a body of the schema that it gives."""
    described = document["paths"][path][method]["responses"][str(answer.status_code)]
    schema = described["content"][answer.mimetype]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json)
    for name in described.get("headers", {}):
        assert name in answer.headers


def test_every_route_is_described_and_every_reference_leads_somewhere(
    api: Api, document: dict[str, Any]
) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in api.app.url_map.iter_rules()
        if not rule.endpoint.startswith("page_")  # those answer people
        for method in (rule.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described <= routes
    assert {route for route in routes if route[0].startswith("/api/")} <= described
    for reference in re.findall(r'"#/components/schemas/(\w+)"', api.client.get("/openapi.json").text):
        assert reference in document["components"]["schemas"]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(names) == len(set(names))


def test_every_filter_is_a_parameter(document: dict[str, Any]) -> None:
    parameters = {each["name"]: each for each in document["paths"]["/api/v1/runs"]["get"]["parameters"]}
    assert set(parameters) == {
        "status", "kind", "project", "workflow", "trigger", "actor", "model", "service", "tag", "deployment", "error",
        "parent", "min_cost", "max_cost", "min_duration", "max_duration", "min_steps", "max_steps", "since", "until", "q",
        "limit", "cursor",
    }  # fmt: skip
    assert parameters["status"]["schema"]["type"] == "array"
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200}


def test_answers_are_as_described(api: Api, document: dict[str, Any]) -> None:
    start, batch = ("/api/v1/projects/{project}/workflows/{slug}/runs" + end for end in ("", ":batch"))
    started = api.client.post(RUNS, json={"input": {"name": "Ada"}}, headers={"Idempotency-Key": "k"})
    fits(document, start, "post", started)
    lease = api.stage.claim()
    assert lease
    api.stage.finish(lease, Failed(Failure("ValueError", "no"), Reason.USER_ERROR))
    fits(document, start, "post", api.start(**{"Idempotency-Key": "k"}))
    fits(document, start, "post", api.start(**{"Idempotency-Key": "k", "Prefer": "wait=5"}))
    fits(document, start, "post", api.client.post(RUNS, json={"input": 3}))
    fits(document, start, "post", api.client.post(RUNS, data="{"))
    fits(document, start, "post", api.client.post(RUNS, data="{", content_type="application/json"))
    fits(
        document,
        batch,
        "post",
        api.client.post(f"{RUNS}:batch", json={"runs": [{"input": {"name": "A"}}, {}]}),
    )
    fits(document, "/workflows/{slug}", "post", api.client.post("/workflows/nope", json={}))
    run = f"/runs/{started.json['run_id']}"
    fits(document, "/api/v1/runs", "get", api.get("/runs"))
    fits(document, "/api/v1/runs", "get", api.get("/runs?x=1"))
    fits(document, "/api/v1/runs/{run_id}", "get", api.get(f"{run}?include=steps,trace,attempts,timeline"))
    fits(document, "/api/v1/runs/{run_id}", "get", api.get("/runs/nope"))
    fits(document, "/api/v1/runs/{run_id}/logs", "get", api.get(f"{run}/logs"))
    fits(document, "/api/v1/runs/{run_id}/spans", "get", api.get(f"{run}/spans"))
    fits(document, "/api/v1/runs/{run_id}/cancel", "post", api.post(f"{run}/cancel"))
    waiting = api.stage.start().run_id
    fits(document, "/api/v1/runs/{run_id}/cancel", "post", api.post(f"/runs/{waiting}/cancel"))
    fits(document, "/api/v1/projects", "get", api.get("/projects"))
    fits(document, "/api/v1/projects/{project}/workflows", "get", api.get("/projects/demo/workflows"))
    fits(
        document,
        "/api/v1/projects/{project}/workflows/{slug}",
        "get",
        api.get("/projects/demo/workflows/greet"),
    )
    fits(document, "/healthz", "get", api.client.get("/healthz"))
    fits(document, "/readyz", "get", api.client.get("/readyz"))
    fits(document, "/openapi.json", "get", api.client.get("/openapi.json"))


def test_answers_without_a_key_are_described_too(api: Api, document: dict[str, Any]) -> None:
    viewer = api.key("viewer")
    fits(document, "/api/v1/runs", "get", api.get("/runs"))
    fits(document, "/workflows/{slug}", "post", api.client.post("/workflows/greet", json={}, headers=viewer))


def test_answers_about_deployments_are_as_described(api: Api, document: dict[str, Any]) -> None:
    path = "/api/v1/projects/{project}/deployments"
    body = {"organization": "default", "digest": "0" * 64, "workflows": {"greet": GREET.as_json()}}
    published: Any = api.post("/projects/demo/deployments", json=body)
    fits(document, path, "post", published)
    fits(document, path, "post", api.post("/projects/demo/deployments", json=body))
    fits(document, path, "get", api.get("/projects/demo/deployments"))
    activation = f"/projects/demo/deployments/{published.json['id']}/activate"
    fits(document, path + "/{deployment}/activate", "post", api.post(activation))
    lease = api.stage.start_and_claim()
    at = datetime(2026, 11, 23, 20, tzinfo=UTC)
    step = Step("a#0", "a", "a", StepKind.ACTION, StepStatus.SUCCESS, 1, "d", at, at, input={}, output=1)
    record_step(api.stage.database, lease, step, api.stage.settings)
    fits(document, "/api/v1/runs/{run_id}/journal", "get", api.get(f"/runs/{lease.run_id}/journal"))
